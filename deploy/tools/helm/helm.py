"""Renders and lints charts: a list of tasks as JSON on stdin, a list of outcomes as JSON on stdout."""

import json
import sys

import helm_python as helm


def run(task):
    try:
        if task["do"] == "lint":
            found = helm.lint(task["chart"], task["values"], strict=True)
            return {"ok": True, "lint": json.loads(json.dumps(found, default=vars))}
        with helm.Chart.load(task["chart"]) as chart:
            files = chart.render(task["values"], name=task["name"], namespace=task["namespace"])
            return {"ok": True, "files": files}
    except helm.HelmError as error:
        return {"ok": False, "message": str(error)}


print(json.dumps([run(task) for task in json.load(sys.stdin)]))
