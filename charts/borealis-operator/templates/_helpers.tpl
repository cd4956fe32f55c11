{{- define "borealis.selector" -}}
app.kubernetes.io/name: borealis-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "borealis.labels" -}}
{{ include "borealis.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: borealis
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* Two operators for all namespaces would fight, so their cluster role has one name, which Helm lets a second release
not take. Operators of one namespace each may be many. */ -}}
{{- define "borealis.clusterRole" -}}
borealis-operator{{ with .Values.watchNamespace }}-{{ $.Release.Namespace }}{{ end }}
{{- end }}

{{- define "borealis.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: borealis-operator
    namespace: {{ .Release.Namespace }}
{{- end }}

{{- /* What the operator does in a namespace that it looks after, and no more: it deletes no volume claim and no Secret,
and Secrets it can neither list nor watch. */ -}}
{{- define "borealis.rules" -}}
- apiGroups: [borealisdb.io]
  resources: [multimasterclusters, chaostests]
  verbs: [get, list, watch]
- apiGroups: [borealisdb.io]
  resources: [multimasterclusters/status, chaostests/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, update, patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create]
{{- end }}
