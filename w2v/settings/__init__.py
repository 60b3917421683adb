"""All settings of a training run, declared once: command line, YAML files and the saved config.yaml
derive from them.

    from w2v.settings.build import build_config
    config = build_config({"corpus": ("corpus.txt",), "dim": "50"}, "recipe.yaml")

declare: what one setting is; groups: the settings themselves; config: `Config`, a run that is
completely described; build: from texts to a `Config`; yamlfile: settings in a YAML file; keywords:
settings as keywords of a function; interval: "30s", "5m", "2M".
"""
