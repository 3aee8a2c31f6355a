//! Real histories of edits are read at every step, and what is said about a step
//! is about what its author did.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::path::PathBuf;

use expect_test::Expect;
use expect_test::expect;
use tabella::diagnostic::Severity;
use tabella::import::Imported;
use tabella::import::Sources;
use tabella::import::import_project;

use crate::histories::history;
use crate::workbench::Workbench;

fn import(root: &Path) -> Imported {
    let there = |name: &&str| root.join(name).exists();
    let domain = ["domain.yml", "domain"].into_iter().filter(there);
    import_project(&Sources {
        root: root.to_owned(),
        config: "config.yml".into(),
        domain: domain.map(PathBuf::from).collect(),
        data: vec!["data".into()],
        ..Sources::default()
    })
    .unwrap()
}

/// Returns a line of counts, and what the errors are if there are some.
fn line(step: &str, imported: &Imported) -> String {
    let project = &imported.project;
    let count = |severity: Severity| {
        let said = imported.diagnostics.iter();
        said.filter(|d| d.severity == severity).count()
    };
    let mut line = format!(
        "{step:<14} {} errors, {} warnings; {} examples, {} steps, {} slots, {} responses\n",
        count(Severity::Error),
        count(Severity::Warning),
        project.nlu.examples.len(),
        project.stories.steps.len(),
        project.domain.slots.len(),
        project.domain.responses.len(),
    );
    for error in imported
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
    {
        let help = error.help.as_deref().unwrap_or("-");
        let said = format!("{} {}: {} ({help})", error.code, error.place, error.message);
        writeln!(line, "    {said}").unwrap();
    }
    line
}

/// Reads all steps of a series. Returns their lines, and each warning at the
/// step where it is said for the first time.
fn check(name: &str, steps: Expect, warnings: Expect) {
    let Some(history) = history(name) else {
        return;
    };
    let bench = Workbench::copy_of(&history.base);
    let root = bench.root();
    let mut table = String::new();
    let mut first: BTreeSet<String> = BTreeSet::new();
    let mut said = String::new();
    let mut visit = |step: &str| {
        let imported = import(&root);
        table += &line(step, &imported);
        for about in &imported.diagnostics {
            if about.severity != Severity::Warning {
                continue;
            }
            let text = format!("{} {}: {}", about.code, about.place.file, about.message);
            let help = about.help.as_deref().unwrap_or("-");
            if first.insert(text.clone()) {
                writeln!(said, "{step}: {text} ({help})").unwrap();
            }
        }
    };
    visit("base");
    for patch in &history.patches {
        patch.apply(&root);
        visit(&patch.name);
    }
    steps.assert_eq(&table);
    warnings.assert_eq(&said);
}

#[test]
fn every_step_of_repair_strategies_bot_is_read() {
    check(
        "repair-strategies-bot",
        expect![[r#"
            base           0 errors, 12 warnings; 2275 examples, 135 steps, 30 slots, 84 responses
            01-59a16e2b    0 errors, 12 warnings; 2278 examples, 136 steps, 30 slots, 84 responses
            02-f7c63114    0 errors, 12 warnings; 2278 examples, 136 steps, 30 slots, 84 responses
            03-5568206f    0 errors, 12 warnings; 2254 examples, 134 steps, 30 slots, 83 responses
            04-b8c2a55e    0 errors, 12 warnings; 2256 examples, 134 steps, 30 slots, 83 responses
            05-29066852    0 errors, 12 warnings; 2256 examples, 134 steps, 30 slots, 82 responses
            06-4cf1f9ea    0 errors, 12 warnings; 2256 examples, 134 steps, 30 slots, 82 responses
            07-62675748    0 errors, 12 warnings; 2256 examples, 134 steps, 30 slots, 82 responses
            08-7a48b362    0 errors, 12 warnings; 2256 examples, 134 steps, 30 slots, 82 responses
            09-53e6dbb8    0 errors, 12 warnings; 2256 examples, 134 steps, 30 slots, 82 responses
            10-2963c1fd    0 errors, 12 warnings; 2256 examples, 144 steps, 30 slots, 82 responses
            11-93882b66    0 errors, 12 warnings; 2256 examples, 134 steps, 30 slots, 82 responses
            12-01ac1f2f    0 errors, 12 warnings; 2256 examples, 134 steps, 30 slots, 82 responses
            13-b22d1e72    0 errors, 12 warnings; 2256 examples, 134 steps, 30 slots, 82 responses
            14-a9f13453    0 errors, 12 warnings; 2261 examples, 133 steps, 29 slots, 81 responses
            15-18bc516b    0 errors, 12 warnings; 2257 examples, 136 steps, 29 slots, 81 responses
            16-6ab8da26    1 errors, 0 warnings; 2257 examples, 138 steps, 0 slots, 0 responses
                E004 domain.yml:247:11: not valid YAML: the quote that opens here is closed in line 248, where more follows (close it where the text ends; a quote inside it is written `\"`; or put the text into single quotes)
            17-14a595e8    0 errors, 12 warnings; 2257 examples, 139 steps, 29 slots, 81 responses
            18-7bcf596e    0 errors, 12 warnings; 2257 examples, 104 steps, 29 slots, 81 responses
            19-9f2a775f    0 errors, 12 warnings; 2250 examples, 104 steps, 29 slots, 81 responses
            20-86f2b694    0 errors, 12 warnings; 2258 examples, 104 steps, 29 slots, 81 responses
            21-1652cc0b    1 errors, 0 warnings; 0 examples, 105 steps, 29 slots, 82 responses
                E004 data/nlu/nlu.yml:139:5: not valid YAML: while parsing a block mapping, did not find expected key (this line starts in another column than those it belongs to: compare it with the lines above)
            22-19103f69    0 errors, 12 warnings; 2271 examples, 105 steps, 29 slots, 82 responses
            23-f178281c    0 errors, 12 warnings; 2271 examples, 105 steps, 29 slots, 82 responses
            24-e51aea9e    0 errors, 12 warnings; 2273 examples, 105 steps, 29 slots, 82 responses
            25-1e149df7    0 errors, 12 warnings; 2278 examples, 105 steps, 29 slots, 82 responses
            26-8e396948    0 errors, 12 warnings; 2278 examples, 105 steps, 29 slots, 82 responses
            27-cc51f095    0 errors, 12 warnings; 2279 examples, 105 steps, 29 slots, 82 responses
            28-11b20235    0 errors, 12 warnings; 2279 examples, 105 steps, 29 slots, 82 responses
            29-dbfffd56    0 errors, 12 warnings; 2277 examples, 105 steps, 29 slots, 82 responses
            30-e22a2bc1    0 errors, 12 warnings; 2277 examples, 105 steps, 29 slots, 82 responses
        "#]],
        expect![[r#"
            base: W215 domain.yml: a mapping of slot `AA_CONTINUE_FORM` names intent `cc_payment_form`, which is not in the domain (-)
            base: W215 domain.yml: a mapping of slot `amount-of-money` names intent `cc_payment_form`, which is not in the domain (-)
            base: W215 domain.yml: a mapping of slot `credit_card` names intent `cc_payment_form`, which is not in the domain (-)
            base: W215 domain.yml: a mapping of slot `time` names intent `cc_payment_form`, which is not in the domain (-)
            base: W215 domain.yml: a mapping of slot `zz_confirm_form` names intent `cc_payment_form`, which is not in the domain (-)
            base: W215 domain.yml: a mapping of slot `AA_CONTINUE_FORM` names intent `transfer_money_form`, which is not in the domain (did you mean `transfer_money`?)
            base: W215 domain.yml: a mapping of slot `PERSON` names intent `transfer_money_form`, which is not in the domain (did you mean `transfer_money`?)
            base: W215 domain.yml: a mapping of slot `amount-of-money` names intent `transfer_money_form`, which is not in the domain (did you mean `transfer_money`?)
            base: W215 domain.yml: a mapping of slot `zz_confirm_form` names intent `transfer_money_form`, which is not in the domain (did you mean `transfer_money`?)
            base: W215 domain.yml: a mapping of slot `AA_CONTINUE_FORM` names intent `transaction_search_form`, which is not in the domain (-)
            base: W215 domain.yml: a mapping of slot `time` names intent `transaction_search_form`, which is not in the domain (-)
            base: W215 domain.yml: a mapping of slot `zz_confirm_form` names intent `transaction_search_form`, which is not in the domain (-)
        "#]],
    );
}

#[test]
fn every_step_of_financial_demo_is_read() {
    check(
        "financial-demo",
        expect![[r#"
            base           0 errors, 0 warnings; 219 examples, 34 steps, 20 slots, 39 responses
            01-7b178439    0 errors, 0 warnings; 219 examples, 34 steps, 20 slots, 39 responses
            02-667d99cd    0 errors, 0 warnings; 219 examples, 34 steps, 23 slots, 39 responses
            03-e5debfb1    0 errors, 1 warnings; 219 examples, 35 steps, 23 slots, 39 responses
            04-556b0626    0 errors, 0 warnings; 220 examples, 35 steps, 23 slots, 39 responses
            05-77709c3c    0 errors, 0 warnings; 221 examples, 43 steps, 23 slots, 39 responses
            06-f8e33979    0 errors, 0 warnings; 220 examples, 43 steps, 23 slots, 39 responses
            07-32a3c0a6    0 errors, 0 warnings; 228 examples, 43 steps, 23 slots, 39 responses
            08-9a891a51    0 errors, 0 warnings; 243 examples, 46 steps, 24 slots, 45 responses
            09-e4bbe511    0 errors, 0 warnings; 244 examples, 46 steps, 24 slots, 45 responses
            10-9935c934    0 errors, 1 warnings; 353 examples, 46 steps, 24 slots, 45 responses
            11-b879245c    0 errors, 0 warnings; 337 examples, 46 steps, 24 slots, 45 responses
            12-d05bbcb7    0 errors, 0 warnings; 337 examples, 49 steps, 24 slots, 45 responses
            13-db56715b    0 errors, 0 warnings; 337 examples, 49 steps, 24 slots, 45 responses
            14-9e6e6f8b    0 errors, 0 warnings; 337 examples, 49 steps, 24 slots, 45 responses
            15-1818041e    0 errors, 12 warnings; 372 examples, 66 steps, 24 slots, 50 responses
            16-46d7cf8c    0 errors, 12 warnings; 413 examples, 66 steps, 24 slots, 50 responses
            17-149252a4    0 errors, 12 warnings; 413 examples, 66 steps, 24 slots, 50 responses
            18-caea6f80    0 errors, 12 warnings; 447 examples, 66 steps, 24 slots, 50 responses
            19-2352457b    0 errors, 12 warnings; 554 examples, 66 steps, 24 slots, 50 responses
            20-5e850c5c    0 errors, 12 warnings; 574 examples, 67 steps, 24 slots, 51 responses
            21-7ff7a511    0 errors, 12 warnings; 574 examples, 67 steps, 24 slots, 51 responses
            22-d38538ab    0 errors, 12 warnings; 574 examples, 67 steps, 24 slots, 51 responses
            23-b1c1247d    0 errors, 12 warnings; 574 examples, 67 steps, 24 slots, 51 responses
            24-27cc9e17    0 errors, 12 warnings; 574 examples, 67 steps, 24 slots, 51 responses
            25-1cddbdcc    0 errors, 12 warnings; 574 examples, 67 steps, 24 slots, 51 responses
            26-c1ae226e    0 errors, 12 warnings; 574 examples, 67 steps, 24 slots, 51 responses
            27-8ff56837    0 errors, 12 warnings; 574 examples, 67 steps, 24 slots, 51 responses
            28-dd456d99    0 errors, 12 warnings; 574 examples, 67 steps, 24 slots, 51 responses
            29-5109230b    0 errors, 12 warnings; 574 examples, 67 steps, 24 slots, 51 responses
            30-7627cebe    0 errors, 12 warnings; 574 examples, 67 steps, 24 slots, 51 responses
        "#]],
        expect![[r#"
            03-e5debfb1: W321 data/nlu.md: what stands before the first heading is left out (write a heading above it: `## intent:name`)
            10-9935c934: W309 data/nlu/nlu.md: intent `out_of_scope_domain` is not in the domain (-)
            15-1818041e: W215 domain.yml: a mapping of slot `AA_CONTINUE_FORM` names intent `cc_payment_form`, which is not in the domain (-)
            15-1818041e: W215 domain.yml: a mapping of slot `credit_card` names intent `cc_payment_form`, which is not in the domain (-)
            15-1818041e: W215 domain.yml: a mapping of slot `amount-of-money` names intent `cc_payment_form`, which is not in the domain (-)
            15-1818041e: W215 domain.yml: a mapping of slot `time` names intent `cc_payment_form`, which is not in the domain (-)
            15-1818041e: W215 domain.yml: a mapping of slot `zz_confirm_form` names intent `cc_payment_form`, which is not in the domain (-)
            15-1818041e: W215 domain.yml: a mapping of slot `AA_CONTINUE_FORM` names intent `transfer_money_form`, which is not in the domain (did you mean `transfer_money`?)
            15-1818041e: W215 domain.yml: a mapping of slot `PERSON` names intent `transfer_money_form`, which is not in the domain (did you mean `transfer_money`?)
            15-1818041e: W215 domain.yml: a mapping of slot `amount-of-money` names intent `transfer_money_form`, which is not in the domain (did you mean `transfer_money`?)
            15-1818041e: W215 domain.yml: a mapping of slot `zz_confirm_form` names intent `transfer_money_form`, which is not in the domain (did you mean `transfer_money`?)
            15-1818041e: W215 domain.yml: a mapping of slot `AA_CONTINUE_FORM` names intent `transaction_search_form`, which is not in the domain (-)
            15-1818041e: W215 domain.yml: a mapping of slot `time` names intent `transaction_search_form`, which is not in the domain (-)
            15-1818041e: W215 domain.yml: a mapping of slot `zz_confirm_form` names intent `transaction_search_form`, which is not in the domain (-)
        "#]],
    );
}

#[test]
fn every_step_of_helpdesk_assistant_is_read() {
    check(
        "helpdesk-assistant",
        expect![[r#"
            base           0 errors, 2 warnings; 72 examples, 7 steps, 5 slots, 13 responses
            01-f1125e91    0 errors, 2 warnings; 72 examples, 7 steps, 5 slots, 13 responses
            02-40f7f92b    0 errors, 1 warnings; 72 examples, 7 steps, 5 slots, 13 responses
            03-be00b6ac    0 errors, 1 warnings; 54 examples, 5 steps, 5 slots, 10 responses
            04-a70075f7    0 errors, 1 warnings; 54 examples, 5 steps, 5 slots, 10 responses
            05-91f9c23b    0 errors, 1 warnings; 54 examples, 5 steps, 5 slots, 10 responses
            06-81232073    0 errors, 0 warnings; 54 examples, 5 steps, 5 slots, 10 responses
            07-df8f9b82    0 errors, 0 warnings; 56 examples, 5 steps, 5 slots, 11 responses
            08-c2245aef    0 errors, 0 warnings; 56 examples, 5 steps, 5 slots, 11 responses
            09-9e89e104    0 errors, 0 warnings; 74 examples, 8 steps, 5 slots, 11 responses
            10-d16a4f38    0 errors, 0 warnings; 85 examples, 18 steps, 5 slots, 12 responses
            11-4c698f86    0 errors, 0 warnings; 88 examples, 18 steps, 5 slots, 13 responses
            12-5f37fdab    0 errors, 0 warnings; 88 examples, 18 steps, 5 slots, 13 responses
            13-41aa0a98    0 errors, 0 warnings; 125 examples, 29 steps, 8 slots, 16 responses
            14-5f4e2d15    0 errors, 0 warnings; 132 examples, 32 steps, 9 slots, 21 responses
            15-d6c838b1    0 errors, 0 warnings; 132 examples, 32 steps, 9 slots, 21 responses
            16-8a1ab24c    0 errors, 0 warnings; 132 examples, 36 steps, 9 slots, 21 responses
            17-3a07e6ca    0 errors, 0 warnings; 133 examples, 36 steps, 9 slots, 21 responses
            18-80e1eb8c    0 errors, 0 warnings; 133 examples, 36 steps, 9 slots, 21 responses
            19-b185dbaf    0 errors, 0 warnings; 175 examples, 36 steps, 9 slots, 21 responses
            20-7541291c    0 errors, 0 warnings; 438 examples, 36 steps, 9 slots, 21 responses
            21-4c6d31cf    0 errors, 0 warnings; 438 examples, 36 steps, 9 slots, 21 responses
            22-2e9f2258    0 errors, 0 warnings; 438 examples, 36 steps, 9 slots, 21 responses
        "#]],
        expect![[r#"
            base: W415 data/stories.md: form `open_incident_form` is not in the domain (-)
            base: W413 data/stories.md: `action_deactivate_form` is now `action_deactivate_loop` (-)
        "#]],
    );
}
