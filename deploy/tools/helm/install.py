"""`helm install NAME CHART [--namespace N] [--create-namespace] [--values FILE] [--dry-run=server]`, as far as the pages use it."""

import argparse

import helm_python as helm

parser = argparse.ArgumentParser(prog="helm")
parser.add_argument("verb", choices=["install"])
parser.add_argument("name")
parser.add_argument("chart")
parser.add_argument("--namespace", default="default")
parser.add_argument("--create-namespace", action="store_true")
parser.add_argument("--values")
parser.add_argument("--dry-run", choices=["server"])
given = parser.parse_args()

values = {}
if given.values:
    with open(given.values, encoding="utf8") as file:
        values = helm.values_from_yaml(file.read())
with helm.Config(namespace=given.namespace) as config:
    release = config.install(
        given.chart,
        given.name,
        values,
        namespace=given.namespace,
        create_namespace=given.create_namespace,
        dry_run=given.dry_run,
    )
    print(release.get("notes") or release.get("info", {}).get("notes") or release)
