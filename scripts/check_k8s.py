"""Validates plain manifests and that they refer to each other rightly.

check_k8s.py DIRECTORY VERSION...
"""

import pathlib
import sys

import kubernetes_validate
import yaml

directory, versions = pathlib.Path(sys.argv[1]), sys.argv[2:]
problems = []


def wrong(name, text):
    problems.append(f"{name}: {text}")


documents = []
for path in sorted(directory.rglob("*.yaml")):
    for document in yaml.safe_load_all(path.read_text()):
        documents.append((str(path.relative_to(directory)), document))

# What other projects define has no schema here: its shape is only looked at below.
foreign = {"Kustomization", "ScaledObject"}
for name, document in documents:
    if document["kind"] in foreign:
        continue
    for version in versions:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            wrong(name, f"{document['kind']} for {version}: {error.message}")

kustomization = next(document for _, document in documents if document["kind"] == "Kustomization")
files = {name for name, _ in documents}
for resource in kustomization["resources"]:
    if resource not in files:
        wrong("kustomization.yaml", f"{resource} does not exist")
if "secret.example.yaml" in kustomization["resources"]:
    wrong("kustomization.yaml", "the example secret must not be deployed")
if {"hpa.yaml", "keda/scaledobject.yaml"} <= set(kustomization["resources"]):
    wrong("kustomization.yaml", "two autoscalers would fight over the workers")


def of_kind(kind):
    return [(name, document) for name, document in documents if document["kind"] == kind]


secret_keys = {key for _, secret in of_kind("Secret") for key in secret["stringData"]}
configured = {
    document["metadata"]["name"]: set(document["data"]) for _, document in of_kind("ConfigMap")
}
pods, deployments = [], {}
for name, deployment in of_kind("Deployment"):
    spec = deployment["spec"]
    labels = spec["template"]["metadata"]["labels"]
    deployments[deployment["metadata"]["name"]] = labels
    if not spec["selector"]["matchLabels"].items() <= labels.items():
        wrong(name, "the selector does not match the pods")
    pod = spec["template"]["spec"]
    pods.append(labels)
    mounted = {}
    for volume in pod["volumes"]:
        if "configMap" in volume and volume["configMap"]["name"] not in configured:
            wrong(name, f"no config map {volume['configMap']['name']}")
        for item in volume.get("secret", {}).get("items", []):
            mounted.setdefault(volume["name"], set()).add(item["path"])
            if item["key"] not in secret_keys:
                wrong(name, f"secret.example.yaml has no {item['key']}")
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in pod.get("initContainers", []) + pod["containers"]:
        where = f"{name}: {container['name']}"
        files = set()
        for mount in container["volumeMounts"]:
            if mount["name"] not in volumes:
                wrong(where, f"no volume {mount['name']}")
            files |= {f"{mount['mountPath']}/{path}" for path in mounted.get(mount["name"], ())}
        if any("owner" in path for path in files) and container["name"] != "init":
            wrong(where, "must not know the owner of the schema")
        if not any(variable["name"].endswith("_API_KEY_FILE") for variable in container["env"]):
            wrong(where, "has no provider's key, and would take it for removed")
        for variable in container["env"]:
            if variable["name"].endswith("_FILE"):
                if variable["value"] not in files:
                    wrong(where, f"{variable['name']} names a file that is not mounted")
        context = container["securityContext"]
        if context["allowPrivilegeEscalation"] or not context["readOnlyRootFilesystem"]:
            wrong(where, "must be confined")
    ports = {port["name"] for port in pod["containers"][0]["ports"]}
    for probe in ("livenessProbe", "readinessProbe"):
        if pod["containers"][0][probe]["httpGet"]["port"] not in ports:
            wrong(name, f"{probe} asks a port that is not there")
    annotation = spec["template"]["metadata"]["annotations"]["prometheus.io/port"]
    if annotation != str(pod["containers"][0]["ports"][0]["containerPort"]):
        wrong(name, "prometheus.io/port is not the port")

for kind, selector in (
    ("Service", lambda spec: spec["selector"]),
    ("PodDisruptionBudget", lambda spec: spec["selector"]["matchLabels"]),
    ("NetworkPolicy", lambda spec: spec["podSelector"]["matchLabels"]),
):
    for name, document in of_kind(kind):
        chosen = selector(document["spec"]).items()
        if not any(chosen <= labels.items() for labels in pods):
            wrong(name, f"{kind} {document['metadata']['name']} chooses no pods")
for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
    for name, document in of_kind(kind):
        if document["spec"]["scaleTargetRef"]["name"] not in deployments:
            wrong(name, "scales something that is not there")

print("\n".join(problems) or f"{len(documents)} manifests are valid for {', '.join(versions)}")
sys.exit(bool(problems))
