# Written by `tabella rules bazel`; written again with it. Without this line the file is yours.
"""The program for modules, Bazel 6 and newer. In MODULE.bazel:

    tabella = use_extension("//tools/tabella:extensions.bzl", "tabella")
    use_repo(tabella, "tabella")
"""

load(":defs.bzl", "tabella_repository")

def _tabella_impl(_ctx):
    tabella_repository(name = "tabella")

tabella = module_extension(implementation = _tabella_impl)
