"""Judges the objects of YAML files by the schemas of two Kubernetes versions, and prints custom ones as JSON lines."""

import json
import sys
from pathlib import Path

import kubernetes_validate
import yaml

versions = ["1.28.0", "1.37.0"]
custom_groups = ("keda.sh/", "monitoring.coreos.com/")

faults = 0
for file in map(Path, sys.argv[1:]):
    objects = [one for one in yaml.safe_load_all(file.read_text()) if one]
    for one in objects:
        if one["apiVersion"].startswith(custom_groups):
            print(json.dumps(one))
            continue
        for version in versions:
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except Exception as fault:
                faults += 1
                print(f"{file.name}: {one['kind']} {one['metadata']['name']}: {version}: {fault}", file=sys.stderr)
    print(f"{file.name}: {len(objects)} objects", file=sys.stderr)
sys.exit(1 if faults else 0)
