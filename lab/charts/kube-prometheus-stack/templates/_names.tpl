{{- /*
SPDX-License-Identifier: GPL-3.0-or-later
SPDX-FileCopyrightText: dataplatform.monitoring contributors

Names and labels, by the rules of the upstream chart: roles, ServiceMonitors and verdicts find objects by them.
*/ -}}

{{- define "standin.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- /* 26, because the operator adds up to 37 characters and a Service name may have 63. */ -}}
{{- define "standin.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $full | trunc 26 | trimSuffix "-" -}}
{{- end -}}

{{- /* Name of a custom resource. Arguments: root, component. */ -}}
{{- define "standin.crname" -}}
{{- $root := first . -}}
{{- $full := include "standin.fullname" $root -}}
{{- $root.Values.cleanPrometheusOperatorObjectNames | ternary $full (printf "%s-%s" $full (last .)) -}}
{{- end -}}

{{- /* Name of an object that upstream leaves to a subchart. Arguments: root, name of the subchart, its values. */ -}}
{{- define "standin.subname" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
{{- $name := $values.nameOverride | default (index . 1) -}}
{{- $full := contains $name $root.Release.Name | ternary $root.Release.Name (printf "%s-%s" $root.Release.Name $name) -}}
{{- $values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* Arguments: root, component. */ -}}
{{- define "standin.serviceAccount" -}}
{{- $root := first . -}}
{{- $component := last . -}}
{{- $key := eq $component "operator" | ternary "prometheusOperator" $component -}}
{{- $account := (index $root.Values $key).serviceAccount -}}
{{- $own := $account.create | ternary (printf "%s-%s" (include "standin.fullname" $root) $component) "default" -}}
{{- $account.name | default $own -}}
{{- end -}}

{{- define "standin.version" -}}
{{- .Chart.Version | replace "+" "_" -}}
{{- end -}}

{{- /* Labels without `app`: rules carry another one. */ -}}
{{- define "standin.commonLabels" -}}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ include "standin.version" . | quote }}
app.kubernetes.io/part-of: {{ include "standin.name" . }}
chart: {{ .Chart.Name }}-{{ include "standin.version" . }}
release: {{ .Release.Name | quote }}
heritage: {{ .Release.Service | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Arguments: root, component. */ -}}
{{- define "standin.labels" -}}
app: {{ include "standin.name" (first .) }}-{{ last . }}
{{ include "standin.commonLabels" (first .) }}
{{- end -}}

{{- define "standin.operatorLabels" -}}
{{ include "standin.labels" (list . "operator") }}
app.kubernetes.io/name: {{ include "standin.name" . }}-prometheus-operator
app.kubernetes.io/component: prometheus-operator
{{- end -}}

{{- /* Arguments: root, name of the subchart. */ -}}
{{- define "standin.subselector" -}}
app.kubernetes.io/name: {{ last . }}
app.kubernetes.io/instance: {{ (first .).Release.Name }}
{{- end -}}

{{- /* Arguments: root, name of the subchart, version of what it runs. */ -}}
{{- define "standin.sublabels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ $root.Chart.Name }}-{{ include "standin.version" $root }}
{{ include "standin.subselector" (list $root (index . 1)) }}
app.kubernetes.io/version: {{ index . 2 | quote }}
{{- end -}}

{{- /* What the two exporters' subcharts add to the above. Same arguments. */ -}}
{{- define "standin.exporterLabels" -}}
{{ include "standin.sublabels" . }}
app.kubernetes.io/managed-by: {{ (first .).Release.Service }}
app.kubernetes.io/component: metrics
app.kubernetes.io/part-of: {{ index . 1 }}
release: {{ (first .).Release.Name | quote }}
{{- end -}}
