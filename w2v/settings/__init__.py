"""All settings of a training run, each declared once: the command line, YAML files and the saved
config.yaml are derived from the declarations.

    from w2v.settings.build import build_config
    config = build_config({"corpus": ("corpus.txt",), "dim": "50"}, "recipe.yaml")

declare: the declaration of one setting; groups: the settings; config: `Config`, the complete
configuration of a run; build: converts given values to a `Config`; yamlfile: reads YAML files;
keywords: settings as keyword arguments of a function; interval: parses "30s", "5m", "2M".
"""
