{{/* The name of the node agent's objects: its DaemonSet, its ServiceAccount, and the ConfigMap that tells it what nodes shall know. */}}
{{- define "berth.nodeAgent" -}}
{{ include "berth.fullname" . }}-node-agent
{{- end -}}

{{/* Where the runtimes of nodes look, as {NAME: {hosts: FOLDER, config: FILE}} for those that read hosts.toml, and {NAME: {certificates:
FOLDER, dropIns: FOLDER}} for the others. */}}
{{- define "berth.nodeAgent.paths" -}}
containerd:
  hosts: /etc/containerd/certs.d
  config: /etc/containerd/config.toml
k3s:
  hosts: /var/lib/rancher/k3s/agent/etc/containerd/certs.d
  config: /var/lib/rancher/k3s/agent/etc/containerd/config.toml
rke2:
  hosts: /var/lib/rancher/rke2/agent/etc/containerd/certs.d
  config: /var/lib/rancher/rke2/agent/etc/containerd/config.toml
microk8s:
  hosts: /var/snap/microk8s/current/args/certs.d
  config: /var/snap/microk8s/current/args/containerd.toml
crio:
  certificates: /etc/containers/certs.d
  dropIns: /etc/containers/registries.conf.d
podman:
  certificates: /etc/containers/certs.d
  dropIns: /etc/containers/registries.conf.d
docker:
  certificates: /etc/docker/certs.d
{{- end -}}

{{/* The paths of the runtimes of this installation, each with what the values say instead. */}}
{{- define "berth.nodeAgent.runtimes" -}}
{{- $presets := include "berth.nodeAgent.paths" . | fromYaml -}}
{{- $own := .Values.nodeAgent.paths -}}
{{- $all := dict -}}
{{- range .Values.nodeAgent.runtimes -}}
{{- $_ := set $all . (merge (deepCopy (default dict (get $own .))) (get $presets .)) -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{- define "berth.nodeAgent.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: node-agent
{{- end -}}

{{/* The labels of its objects. */}}
{{- define "berth.nodeAgent.labels" -}}
{{ toYaml (merge (include "berth.nodeAgent.selectorLabels" . | fromYaml) (include "berth.labels" . | fromYaml)) }}
{{- end -}}
