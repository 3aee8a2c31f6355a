# Written by `tabella rules bazel`; written again with it. Without this line the file is yours.
"""Rules that train and test Rasa assistants.

An assistant is made by four actions, so that what is cached, run elsewhere and
cut off is a part and not the whole:

    files -> TabellaImport -> nlu portion  -> TabellaNlu  -> results \\
                           -> core portion -> TabellaCore -> results  > TabellaPackage -> NAME.tar.gz
                           -> package portion -----------------------/

A new example never runs TabellaCore, a new story runs TabellaNlu only if it names an
entity that nothing named before, and the text of a response runs TabellaImport and
TabellaPackage only, unless a retrieval intent learns it.

For Bazel 4.2 and newer.
"""

RasaAssistantInfo = provider(
    doc = "A trained assistant.",
    fields = {
        "model": "The archive.",
        "name": "What the assistant is called.",
    },
)

_TABELLA = attr.label(
    default = "@tabella//:tabella",
    doc = "The program.",
    executable = True,
    allow_single_file = True,
    cfg = "exec",
)

def _project(ctx):
    """Returns the folder that messages and names of files start from."""
    label = ctx.label
    folder = "/".join([part for part in [label.workspace_root, label.package] if part])
    if not folder:
        return "."
    for file in ctx.files.data + ctx.files.domain + [ctx.file.config]:
        if file.is_source and file.path.startswith(folder + "/"):
            return folder

    # All of it is generated.
    return ctx.file.config.dirname

def _import(ctx):
    """Adds the action that reads the project; returns what the others read."""
    nlu = ctx.actions.declare_file(ctx.label.name + ".nlu.portion")
    core = ctx.actions.declare_file(ctx.label.name + ".core.portion")
    package = ctx.actions.declare_file(ctx.label.name + ".package.portion")

    step = ctx.actions.args()
    step.add_all(["exec", "import"])
    args = ctx.actions.args()
    args.add("--project", _project(ctx))
    args.add("--config", ctx.file.config)
    args.add_all("--domain", ctx.files.domain, expand_directories = False)
    args.add_all("--data", ctx.files.data, expand_directories = False)
    args.add("--augmentation", ctx.attr.augmentation)
    args.add("--nlu-portion", nlu)
    args.add("--core-portion", core)
    args.add("--package-portion", package)
    if ctx.attr.persist_nlu_data:
        args.add("--persist-nlu-data")
    if ctx.attr.fail_on_warnings:
        args.add("--fail-on-validation-warnings")
    if ctx.attr.skip_validation:
        args.add("--skip-validation")
    if ctx.attr.validation_max_history:
        args.add("--validation-max-history", ctx.attr.validation_max_history)
    args.use_param_file("@%s", use_always = True)
    args.set_param_file_format("multiline")
    ctx.actions.run(
        executable = ctx.executable.tabella,
        arguments = [step, args],
        inputs = (ctx.files.data + ctx.files.domain + [ctx.file.config] +
                  ctx.files.files + ctx.files.imports),
        outputs = [nlu, core, package],
        env = ctx.attr.env,
        mnemonic = "TabellaImport",
        progress_message = "Reading assistant %s" % ctx.label,
    )
    return struct(nlu = nlu, core = core, package = package)

def _train(ctx, half, portion, files):
    """Adds the action that trains one half; returns its results."""
    results = ctx.actions.declare_file("%s.%s.results" % (ctx.label.name, half))
    args = ctx.actions.args()
    args.add_all(["exec", "train"])
    args.add("--portion", portion)
    args.add("--out", results)
    args.add("--jobs", ctx.attr.cpus)
    ctx.actions.run(
        executable = ctx.executable.tabella,
        arguments = [args],
        inputs = [portion] + files,
        outputs = [results],
        env = ctx.attr.env,
        mnemonic = "Tabella" + half.title(),
        progress_message = "Training %s of %s" % (half, ctx.label),
    )
    return results

def _package(ctx, portion, results):
    """Adds the action that makes the archive; returns it."""
    model = ctx.actions.declare_file(ctx.label.name + ".tar.gz")
    args = ctx.actions.args()
    args.add_all(["exec", "package"])
    args.add("--portion", portion)
    args.add_all("--results", results)
    args.add("--out", model)
    ctx.actions.run(
        executable = ctx.executable.tabella,
        arguments = [args],
        inputs = [portion] + results + ctx.files.files,
        outputs = [model],
        mnemonic = "TabellaPackage",
        progress_message = "Packaging assistant %s" % ctx.label,
    )
    return model

def _rasa_assistant_impl(ctx):
    portions = _import(ctx)
    results = [
        _train(ctx, "nlu", portions.nlu, ctx.files.files),
        _train(ctx, "core", portions.core, []),
    ]
    model = _package(ctx, portions.package, results)
    return [
        DefaultInfo(
            files = depset([model]),
            runfiles = ctx.runfiles(files = [model]),
        ),
        OutputGroupInfo(
            portions = depset([portions.nlu, portions.core, portions.package]),
            results = depset(results),
        ),
        RasaAssistantInfo(model = model, name = ctx.label.name),
    ]

rasa_assistant = rule(
    implementation = _rasa_assistant_impl,
    doc = "Trains an assistant; the output is the archive NAME.tar.gz.",
    attrs = {
        "augmentation": attr.int(
            default = 50,
            doc = "How many stories are glued to others.",
        ),
        "config": attr.label(
            allow_single_file = [".yml", ".yaml"],
            mandatory = True,
            doc = "The configuration file.",
        ),
        "cpus": attr.int(
            default = 1,
            doc = "Threads that training a half computes with, of which Bazel counts one; the archive does not depend on it.",
        ),
        "data": attr.label_list(
            allow_files = True,
            mandatory = True,
            doc = "NLU data, stories and rules, and the lookup tables that they name.",
        ),
        "domain": attr.label_list(
            allow_files = True,
            doc = "Domain files.",
        ),
        "env": attr.string_dict(
            doc = "Environment variables that the project's files name as ${NAME}.",
        ),
        "fail_on_warnings": attr.bool(
            doc = "Whether to train nothing when there is a warning.",
        ),
        "files": attr.label_list(
            allow_files = True,
            doc = "Files that components of the pipeline name: word vectors, dictionaries, programs.",
        ),
        "imports": attr.label_list(
            allow_files = True,
            doc = "Files that importers find beside the data: of other projects, lookup tables.",
        ),
        "persist_nlu_data": attr.bool(
            doc = "Whether the NLU data goes into the archive.",
        ),
        "skip_validation": attr.bool(
            doc = "Whether to check only what cannot be trained at all.",
        ),
        "tabella": _TABELLA,
        "validation_max_history": attr.int(
            doc = "Turns over which stories are compared with each other; 0 for all.",
        ),
    },
)

def _quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"

def _test(ctx, words, data, more = ""):
    """Returns a test that runs the program with these words, and what a shell makes of more."""
    words = [ctx.executable.tabella.short_path, "test"] + words
    lines = [
        "#!/bin/sh",
        "# Written by a rule of Tabella.",
        "exec %s %s \"$@\"" % (" ".join([_quoted(word) for word in words]), more),
        "",
    ]
    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.write(script, "\n".join(lines), is_executable = True)
    model = ctx.attr.assistant[RasaAssistantInfo].model
    files = data + [model, ctx.executable.tabella]
    return [DefaultInfo(executable = script, runfiles = ctx.runfiles(files = files))]

def _rasa_nlu_test_impl(ctx):
    words = ["nlu", "--no-cache", "--model"]
    words.append(ctx.attr.assistant[RasaAssistantInfo].model.short_path)
    words.append("--nlu")
    words += [file.short_path for file in ctx.files.data]
    for gate in ctx.attr.gates:
        words += ["--gate", gate]
    return _test(ctx, words, ctx.files.data, "--out \"${TEST_UNDECLARED_OUTPUTS_DIR:-results}\"")

rasa_nlu_test = rule(
    implementation = _rasa_nlu_test_impl,
    doc = "Scores an assistant's NLU half on labelled messages.",
    test = True,
    attrs = {
        "assistant": attr.label(mandatory = True, providers = [RasaAssistantInfo]),
        "data": attr.label_list(
            allow_files = True,
            mandatory = True,
            doc = "NLU data to test with.",
        ),
        "gates": attr.string_list(
            doc = "Scores that must be reached, as `tabella test nlu --gate` takes them.",
        ),
        "tabella": _TABELLA,
    },
)

def _rasa_core_test_impl(ctx):
    words = ["core", "--fail-on-prediction-errors", "--model"]
    words.append(ctx.attr.assistant[RasaAssistantInfo].model.short_path)
    words.append("--stories")
    words += [file.short_path for file in ctx.files.stories]
    return _test(ctx, words, ctx.files.stories)

rasa_core_test = rule(
    implementation = _rasa_core_test_impl,
    doc = "Replays test stories; each action must be predicted.",
    test = True,
    attrs = {
        "assistant": attr.label(mandatory = True, providers = [RasaAssistantInfo]),
        "stories": attr.label_list(
            allow_files = True,
            mandatory = True,
            doc = "Test stories.",
        ),
        "tabella": _TABELLA,
    },
)

def _tabella_repository_impl(ctx):
    path = ctx.attr.path or ctx.os.environ.get("TABELLA") or ctx.which("tabella")
    if not path:
        fail("the program `tabella` is not on PATH: install it, or set TABELLA to its path")
    ctx.symlink(path, "tabella")
    ctx.file("BUILD.bazel", "exports_files([\"tabella\"], visibility = [\"//visibility:public\"])\n")
    ctx.file("WORKSPACE", "")

tabella_repository = repository_rule(
    implementation = _tabella_repository_impl,
    doc = "The program that is installed: `path`, the environment's TABELLA, or the one on PATH.",
    attrs = {"path": attr.string(doc = "An absolute path.")},
    environ = ["PATH", "TABELLA"],
    local = True,
)
