#!/usr/bin/env bash
# Checks everything in compose/ with the tools that are installed here, and says by name what it could not check and what is missing for it.
# Exit status: 0 where nothing that was checked is wrong. What is checked with:
#
#   supervisord.conf       supervisor (Debian)
#   systemd/               systemd-analyze (Debian systemd): verify, and an exposure below 2.0
#   prometheus/, grafana/  promtool (Debian prometheus), Python; the names of metrics against docs/metrics.md
#   compose.yaml           check-jsonschema (PyPI), which brings the schema of the Compose specification; docker compose config
#   kubernetes/            kubernetes-validate (PyPI), kubectl for the kustomization
#   Dockerfile             Python: what it copies is there, and what it leaves out of the build
#   scripts                shellcheck
#
# The tools of PyPI in an environment of their own:
#   python3 -m venv .build/compose-tools && .build/compose-tools/bin/pip install check-jsonschema kubernetes-validate pyyaml
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
tools=$PWD/.build/compose-tools/bin
[ ! -d "$tools" ] || PATH=$tools:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0 unchecked=()

# check NAME COMMAND...: one line; the command's output where it fails.
check() {
    local name=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        echo "ok       $name"
    else
        echo "WRONG    $name"
        sed 's/^/         /' "$work/output"
        failures=$((failures + 1))
    fi
}
skip() { unchecked+=("$1"); }
has() { command -v "$1" >/dev/null; }
# A Python that reads YAML: the system's, or that of the environment above.
python=python3
for candidate in "$tools/python" python3 /usr/bin/python3; do
    if "$candidate" -c 'import yaml' 2>/dev/null; then python=$candidate && break; fi
done
has_yaml() { "$python" -c 'import yaml' 2>/dev/null; }

# --- supervisord: read as it would be read, with nothing started.
supervisor() {
    RUN_FOLDER=$work FETCHERS=2 SPARE_FETCHERS=3 /usr/bin/python3 - <<'PYTHON'
from supervisor.options import ServerOptions
options = ServerOptions()
options.realize(["-c", "compose/supervisord.conf"])
groups = {group.name: [process.name for process in group.process_configs] for group in options.process_group_configs}
assert groups["fetcher"] == [f"fetcher_{n:02}" for n in range(5)], groups
started = [process.name for group in options.process_group_configs for process in group.process_configs if process.autostart]
assert sorted(started) == ["coordinator", "fetcher_00", "fetcher_01", "writer"], started
assert all(process.stopwaitsecs > 10 for group in options.process_group_configs for process in group.process_configs)
PYTHON
}
if /usr/bin/python3 -c 'import supervisor' 2>/dev/null; then
    check "supervisord.conf" supervisor
else
    skip "supervisord.conf: no supervisor (apt-get install supervisor)"
fi

# --- systemd: the units as they would be installed, with programs that exist.
units() { (cd compose/systemd && printf '%s\n' *.service *.target); }
stage_units() {
    mkdir -p "$work/root/etc/systemd/system" "$work/root/usr/local/bin"
    cp compose/systemd/*.service compose/systemd/*.target "$work/root/etc/systemd/system/"
    for program in wallet-backend wallet-backend-fetcher wallet-backend-writer; do
        printf '#!/bin/sh\n' >"$work/root/usr/local/bin/$program" && chmod 755 "$work/root/usr/local/bin/$program"
    done
    cp -r /lib/systemd/system/*.target "$work/root/etc/systemd/system/" 2>/dev/null
    # verify looks at the machine's own folders for what a unit runs.
    sed -i "s,/usr/local/bin/,$work/root/usr/local/bin/," "$work"/root/etc/systemd/system/wallet-backend*.service
}
verify_units() {
    local output
    output=$(cd "$work/root/etc/systemd/system" &&
        systemd-analyze verify --man=no --recursive-errors=yes wallet-backend.target wallet-backend-coordinator.service wallet-backend-writer.service \
            wallet-backend-fetcher@1.service wallet-backend-ingest.service 2>&1 | grep wallet-backend)
    # It says nothing where nothing is wrong.
    [ -z "$output" ] || { echo "$output"; return 1; }
}
exposure() {
    systemd-analyze security --offline=true --threshold=19 --no-pager "compose/systemd/$1"
}
if has systemd-analyze; then
    stage_units
    check "systemd: verify" verify_units
    for unit in $(units | grep service); do check "systemd: exposure of $unit below 2.0" exposure "$unit"; done
else
    skip "systemd/: no systemd-analyze (apt-get install systemd)"
fi

# --- Prometheus and Grafana
expressions() {
    python3 - >"$work/expressions.yml" <<'PYTHON'
import json
dashboard = json.load(open("compose/grafana/dashboard.json"))
print("groups:\n  - name: dashboard\n    rules:")
expressions = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]
assert len(expressions) > 30
for number, (title, expression) in enumerate(expressions):
    expression = expression.replace("$__rate_interval", "1m")
    assert "$" not in expression, (title, expression)
    print(f"      - {{record: 'dashboard:expression:{number}', expr: {json.dumps(expression)}, labels: {{panel: {json.dumps(title)}}}}}")
PYTHON
}
dashboard_expressions() { expressions && promtool check rules "$work/expressions.yml"; }
if has promtool; then
    check "prometheus: configuration" promtool check config compose/prometheus/prometheus.yml
    check "prometheus: rules" promtool check rules compose/prometheus/alerts.yml
    check "prometheus: tests of the rules" promtool test rules compose/prometheus/alerts.test.yml
    check "grafana: the dashboard's expressions" dashboard_expressions
else
    skip "prometheus/, and the expressions of grafana/dashboard.json: no promtool (apt-get install prometheus)"
fi
dashboard_form() {
    python3 - <<'PYTHON'
import json
dashboard = json.load(open("compose/grafana/dashboard.json"))
ids = [panel["id"] for panel in dashboard["panels"]]
assert len(ids) == len(set(ids)), "panel ids occur twice"
cells = set()
for panel in dashboard["panels"]:
    place = panel["gridPos"]
    assert place["x"] + place["w"] <= 24, panel["title"]
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            assert (x, y) not in cells, f"{panel['title']} overlaps"
            cells.add((x, y))
    if panel["type"] != "row":
        assert panel["targets"] and all(target["expr"] and target["refId"] for target in panel["targets"]), panel["title"]
PYTHON
}
check "grafana: the dashboard's form" dashboard_form

# Every metric that rules and dashboard name is one that the programs have. METRICS_DOCUMENT: where their names are listed.
names() {
    python3 - "$1" <<'PYTHON'
import json, re, sys
known = set(re.findall(r"\b(?:wallet|process)_[a-z0-9_]+", open(sys.argv[1]).read()))
used = open("compose/prometheus/alerts.yml").read()
used += "\n".join(target["expr"] for panel in json.load(open("compose/grafana/dashboard.json"))["panels"] for target in panel.get("targets", []))
names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\b(?:wallet|process)_[a-z0-9_]+", used)}
unknown = sorted(name for name in names if name not in known)
if unknown: sys.exit("not in " + sys.argv[1] + ": " + ", ".join(unknown))
PYTHON
}
document=${METRICS_DOCUMENT:-docs/metrics.md}
if [ -e "$document" ]; then check "names of metrics are those of $document" names "$document"; else skip "names of metrics: no $document"; fi

# --- compose.yaml
compose_rules() {
    "$python" - <<'PYTHON'
import yaml
document = yaml.safe_load(open("compose/compose.yaml"))
services = document["services"]
for name, service in services.items():
    for port in service.get("ports", []):
        assert str(port).startswith("127.0.0.1:"), f"{name}: {port} is published beyond this machine"
    assert service.get("cap_drop") == ["ALL"], f"{name}: capabilities"
    assert service.get("read_only") is True, f"{name}: its file system can be written"
    assert "no-new-privileges:true" in service.get("security_opt", []), f"{name}: privileges"
    assert "mem_limit" in service and "cpus" in service, f"{name}: limits"
    assert ":" in service["image"] and not service["image"].endswith(":latest"), f"{name}: {service['image']} is not pinned"
    for other in service.get("depends_on", {}):
        assert other in services, f"{name} waits for {other}, which does not exist"
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert source.startswith((".", "/")) or source in document["volumes"], f"{name}: no volume {source}"
    if name not in ("folder", "migrate"):
        assert "healthcheck" in service or "build" in service, f"{name}: no health check"
assert services["coordinator"].get("restart", "no") == "no", "the one-shot service would begin again"
PYTHON
}
if has_yaml; then check "compose.yaml: its own rules" compose_rules; else skip "compose.yaml, its own rules: no PyYAML (apt-get install python3-yaml)"; fi
if has check-jsonschema; then
    check "compose.yaml: schema of the Compose specification" check-jsonschema --builtin-schema vendor.compose-spec compose/compose.yaml
else
    skip "compose.yaml, schema: no check-jsonschema (PyPI; see the top of this script)"
fi
if docker compose version >/dev/null 2>&1; then
    check "compose.yaml: docker compose config" docker compose --env-file compose/compose.env.example -f compose/compose.yaml --profile ingest config --quiet
else
    skip "compose.yaml, as Docker reads it: no docker compose"
fi

# --- Dockerfile
dockerfile() {
    python3 - <<'PYTHON'
import os, re
text = open("compose/Dockerfile").read().replace("\\\n", " ")
lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
images = [line.split()[1] for line in lines if line.startswith("FROM")]
stages = {line.split()[3] for line in lines if line.startswith("FROM") and " AS " in line}
for image in images:
    assert image in stages or re.search(r":\d", image), f"{image}: no version"
for line in lines:
    if line.startswith("COPY") and "--from" not in line:
        for source in line.split()[1:-1]:
            if not source.startswith("--") and not source.endswith("*"): assert os.path.exists(source), f"{source} does not exist"
            assert not source.startswith(("Tests", "Benchmarks")), f"{source} does not belong into the build"
ignored = [line.strip() for line in open(".dockerignore") if line.strip() and not line.startswith("#")]
assert ignored[0] == "*", "everything is left out, unless named"
last = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM")):]
assert any(re.fullmatch(r"USER \d+(:\d+)?", line) for line in last), "no fixed user"
assert any(line.startswith("HEALTHCHECK") for line in last), "no health check"
PYTHON
}
check "Dockerfile: its own rules" dockerfile
skip "Dockerfile, built: that takes a Docker engine and a network"

# --- Kubernetes
# The kustomization is not an object of the cluster.
kubernetes() {
    local file
    for file in compose/kubernetes/*.yaml; do
        [ "${file##*/}" = kustomization.yaml ] || kubernetes-validate --strict "$file" || return 1
    done
}
kustomization() { kubectl kustomize compose/kubernetes >"$work/kustomized.yaml" && [ -s "$work/kustomized.yaml" ]; }
if has kubernetes-validate; then check "kubernetes: schemas" kubernetes; else skip "kubernetes/, schemas: no kubernetes-validate (PyPI; see the top of this script)"; fi
if has kubectl; then check "kubernetes: kustomization" kustomization; else skip "kubernetes/kustomization.yaml: no kubectl"; fi

# --- scripts
if has shellcheck; then
    check "shellcheck" shellcheck Scripts/check-compose.sh compose/dependencies.sh compose/healthcheck.sh
else
    skip "scripts: no shellcheck"
fi

if [ ${#unchecked[@]} -gt 0 ]; then
    printf '\nnot checked here:\n'
    printf '    %s\n' "${unchecked[@]}"
fi
[ "$failures" -eq 0 ] || { printf '\n%d wrong\n' "$failures"; exit 1; }
