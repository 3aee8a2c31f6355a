//! Each reason, as the plan and the run say it.

use expect_test::expect;
use serde_json::json;

use super::*;

/// Returns a store in which the default graph has run.
fn warm() -> Store {
    let store = Store::in_memory();
    run(&graph(&Knobs::default()), &store, &|_| {});
    store
}

#[test]
fn a_first_run_runs_everything() {
    let graph = graph(&Knobs::default());
    let store = Store::in_memory();
    check_plan(
        &graph,
        &store,
        expect![[r#"
            stale upper: never run before
            may_be_spared left: never run before; depends on `upper`
            may_be_spared right: never run before; depends on `upper`
            may_be_spared pack: never run before; depends on `left`, `right`
        "#]],
    );
    check(
        &graph,
        &store,
        expect![[r#"
        run     upper: never run before
        done    upper
        run     left: never run before; depends on `upper`
        done    left
        run     right: never run before; depends on `upper`
        done    right
        run     pack: never run before; depends on `left`, `right`
        done    pack
    "#]],
    );
    check(
        &graph,
        &store,
        expect![[r#"
        reuse   upper
        reuse   left
        reuse   right
        reuse   pack
    "#]],
    );
}

#[test]
fn a_changed_option_is_named_with_both_values() {
    let graph = graph(&Knobs {
        rate: json!(0.25),
        ..Knobs::default()
    });
    let store = warm();
    check_plan(
        &graph,
        &store,
        expect![[r#"
            fresh upper
            stale left: option `rate` changed from 0.5 to 0.25
            fresh right
            may_be_spared pack: depends on `left`
        "#]],
    );
    check(
        &graph,
        &store,
        expect![[r#"
        reuse   upper
        run     left: option `rate` changed from 0.5 to 0.25
        done    left
        reuse   right
        spare   pack
    "#]],
    );
}

#[test]
fn an_edit_that_changes_no_output_stops_at_the_first_task() {
    let graph = graph(&Knobs {
        text: "HELLO:a\nbye:b".to_owned(),
        ..Knobs::default()
    });
    let store = warm();
    check_plan(
        &graph,
        &store,
        expect![[r#"
            stale upper: `text` changed: added `HELLO` (f.yml:1), removed `hello` (f.yml:1)
            may_be_spared left: depends on `upper`
            may_be_spared right: depends on `upper`
            may_be_spared pack: depends on `left`, `right`
        "#]],
    );
    check(
        &graph,
        &store,
        expect![[r#"
        run     upper: `text` changed: added `HELLO` (f.yml:1), removed `hello` (f.yml:1)
        done    upper
        spare   left
        spare   right
        spare   pack
    "#]],
    );
}

#[test]
fn changed_pieces_of_an_input_are_named() {
    let text = "hello:x\nthanks:c\nwhat:d\nwho:e\nwhen:f".to_owned();
    let graph = graph(&Knobs {
        text,
        ..Knobs::default()
    });
    let store = warm();
    check_plan(
        &graph,
        &store,
        expect![[r#"
            stale upper: `text` changed: changed `hello` (f.yml:1), added `thanks` (f.yml:2), added `what` (f.yml:3) and 3 more
            may_be_spared left: depends on `upper`
            may_be_spared right: depends on `upper`
            may_be_spared pack: depends on `left`, `right`
        "#]],
    );
    check(
        &graph,
        &store,
        expect![[r#"
        run     upper: `text` changed: changed `hello` (f.yml:1), added `thanks` (f.yml:2), added `what` (f.yml:3) and 3 more
        done    upper
        run     left: depends on `upper`
        done    left
        run     right: depends on `upper`
        done    right
        run     pack: depends on `left`, `right`
        done    pack
    "#]],
    );
}

#[test]
fn a_raised_algorithm_version_reruns_its_tasks_alone() {
    let graph = graph(&Knobs {
        version: 2,
        ..Knobs::default()
    });
    check(
        &graph,
        &warm(),
        expect![[r#"
        reuse   upper
        run     left: its algorithm changed from version 1 to 2
        done    left
        reuse   right
        spare   pack
    "#]],
    );
}

#[test]
fn another_kind_under_the_same_name_is_said() {
    let graph = graph(&Knobs {
        kind: "glue",
        ..Knobs::default()
    });
    check_plan(
        &graph,
        &warm(),
        expect![[r#"
            fresh upper
            stale left: was a `join`, is a `glue`
            fresh right
            may_be_spared pack: depends on `left`
        "#]],
    );
}

#[test]
fn added_and_removed_inputs_are_said() {
    let store = warm();
    let more = graph(&Knobs {
        third: Some("3"),
        ..Knobs::default()
    });
    check_plan(
        &more,
        &store,
        expect![[r#"
            fresh upper
            stale left: also reads `third` now
            fresh right
            may_be_spared pack: depends on `left`
        "#]],
    );
    run(&more, &store, &|_| {});
    // The old state is still in the cache.
    check_plan(
        &graph(&Knobs::default()),
        &store,
        expect![[r#"
        fresh upper
        fresh left
        fresh right
        fresh pack
    "#]],
    );
    let less = graph(&Knobs {
        version: 2,
        ..Knobs::default()
    });
    check_plan(
        &less,
        &store,
        expect![[r#"
            fresh upper
            stale left: its algorithm changed from version 1 to 2; no longer reads `third`
            fresh right
            may_be_spared pack: depends on `left`
        "#]],
    );
}

#[test]
fn a_renamed_task_is_the_same_work_and_compared_with_its_old_name() {
    let store = warm();
    check_plan(
        &graph(&Knobs {
            name: "links",
            ..Knobs::default()
        }),
        &store,
        expect![[r#"
            fresh upper
            fresh links
            fresh right
            fresh pack
        "#]],
    );
    let renamed = Knobs {
        name: "links",
        rate: json!(1),
        ..Knobs::default()
    };
    check_plan(
        &graph(&renamed),
        &store,
        expect![[r#"
            fresh upper
            stale links: option `rate` changed from 0.5 to 1
            fresh right
            may_be_spared pack: depends on `links`
        "#]],
    );
}

#[test]
fn going_back_to_an_older_state_runs_nothing() {
    let store = warm();
    let other = graph(&Knobs {
        rate: json!(0.25),
        ..Knobs::default()
    });
    run(&other, &store, &|_| {});
    let graph = graph(&Knobs::default());
    check(
        &graph,
        &store,
        expect![[r#"
        reuse   upper
        reuse   left
        reuse   right
        reuse   pack
    "#]],
    );
    // The last run is now the old state.
    let third = Knobs {
        rate: json!(0.75),
        ..Knobs::default()
    };
    check_plan(
        &super::graph(&third),
        &store,
        expect![[r#"
            fresh upper
            stale left: option `rate` changed from 0.5 to 0.75
            fresh right
            may_be_spared pack: depends on `left`
        "#]],
    );
}

#[test]
fn force_runs_everything_and_keeps_the_results() {
    let graph = graph(&Knobs::default());
    let store = warm();
    let forced = plan(&graph, &store, PlanSettings { force: true });
    let log = EventLog::new();
    execute(&graph, &forced, &store, &Settings::default(), &|event| {
        log.push(event)
    });
    expect![[r#"
        run     upper: forced
        done    upper
        run     left: forced
        done    left
        run     right: forced
        done    right
        run     pack: forced
        done    pack
    "#]]
    .assert_eq(&log.text());
    check(
        &graph,
        &store,
        expect![[r#"
        reuse   upper
        reuse   left
        reuse   right
        reuse   pack
    "#]],
    );
}

#[test]
fn the_same_work_under_two_names_is_done_once() {
    let mut graph = Graph::new();
    let one = graph.add(task("one", vec![leaf("text", "a")]));
    let two = graph.add(task("two", vec![leaf("text", "a")]));
    let inputs = vec![
        Input::output("1", one, "out"),
        Input::output("2", two, "out"),
    ];
    graph.add(task("both", inputs));
    let store = Store::in_memory();
    check_plan(
        &graph,
        &store,
        expect![[r#"
            stale one: never run before
            stale two: the same work as `one`
            may_be_spared both: never run before; depends on `one`, `two`
        "#]],
    );
    check(
        &graph,
        &store,
        expect![[r#"
        run     one: never run before
        done    one
        spare   two
        run     both: never run before; depends on `one`, `two`
        done    both
    "#]],
    );
    check(
        &graph,
        &store,
        expect![[r#"
        reuse   one
        reuse   two
        reuse   both
    "#]],
    );
}

#[test]
fn reasons_have_a_stable_machine_form() {
    let graph = graph(&Knobs {
        rate: json!(0.25),
        text: "x:1".to_owned(),
        ..Knobs::default()
    });
    let plan = plan(&graph, &warm(), PlanSettings::default());
    let states: Vec<_> = plan.tasks().iter().map(|task| &task.state).collect();
    expect![[r#"
        [
          {
            "state": "stale",
            "reasons": [
              {
                "reason": "input_changed",
                "role": "text",
                "from": null,
                "changes": [
                  {
                    "change": "added",
                    "label": "`x`",
                    "place": "f.yml:1",
                    "new": []
                  },
                  {
                    "change": "removed",
                    "label": "`bye`",
                    "place": "f.yml:2",
                    "old": []
                  },
                  {
                    "change": "removed",
                    "label": "`hello`",
                    "place": "f.yml:1",
                    "old": []
                  }
                ]
              }
            ]
          },
          {
            "state": "may_be_spared",
            "reasons": [
              {
                "reason": "option_changed",
                "name": "rate",
                "old": 0.5,
                "new": 0.25,
                "place": ""
              },
              {
                "reason": "upstream",
                "tasks": [
                  "upper"
                ]
              }
            ]
          },
          {
            "state": "may_be_spared",
            "reasons": [
              {
                "reason": "upstream",
                "tasks": [
                  "upper"
                ]
              }
            ]
          },
          {
            "state": "may_be_spared",
            "reasons": [
              {
                "reason": "upstream",
                "tasks": [
                  "left",
                  "right"
                ]
              }
            ]
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&states).unwrap());
}
