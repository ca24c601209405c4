{{- /*
SPDX-License-Identifier: GPL-3.0-or-later
SPDX-FileCopyrightText: dataplatform.monitoring contributors

Fragments that several objects share.
*/ -}}

{{- /* Arguments: root, image (registry, repository, tag, sha), tag to use when it names none. */ -}}
{{- define "standin.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $registry := $root.Values.global.imageRegistry | default $image.registry -}}
{{- $sha := $image.sha | empty | ternary "" (printf "@sha256:%s" $image.sha) -}}
{{- printf "%s/%s:%s%s" $registry $image.repository ($image.tag | default (index . 2)) $sha -}}
{{- end -}}

{{- /* A list of names, or of maps with a name. */ -}}
{{- define "standin.imagePullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) "name") . }}
{{- end }}
{{- end }}
{{- end -}}

{{- /*
Keys of a values map that go unchanged into the spec of a custom resource: all that the template does not write itself.
Arguments: root, map, list of the keys that it does.
*/ -}}
{{- define "standin.passThrough" -}}
{{- $root := index . 0 -}}
{{- $map := index . 1 -}}
{{- range $key := keys $map | sortAlpha -}}
{{- $value := index $map $key -}}
{{- if and (not (has $key (index $ 2))) (or (kindIs "bool" $value) (not (empty $value))) }}
{{ tpl (toYaml (dict $key $value)) $root }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Arguments: values of the spec, label of the Pods, its value, value of app.kubernetes.io/name. */ -}}
{{- define "standin.affinity" -}}
{{- $spec := index . 0 -}}
{{- $terms := list (dict "key" "app.kubernetes.io/name" "operator" "In" "values" (list (index . 3))) -}}
{{- $terms = append $terms (dict "key" (index . 1) "operator" "In" "values" (list (index . 2))) -}}
{{- $apart := dict "topologyKey" $spec.podAntiAffinityTopologyKey "labelSelector" (dict "matchExpressions" $terms) -}}
{{- $affinity := deepCopy ($spec.affinity | default dict) -}}
{{- if eq ($spec.podAntiAffinity | default "") "hard" -}}
{{- $_ := set $affinity "podAntiAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" (list $apart)) -}}
{{- else if eq ($spec.podAntiAffinity | default "") "soft" -}}
{{- $soft := dict "weight" 100 "podAffinityTerm" $apart -}}
{{- $_ := set $affinity "podAntiAffinity" (dict "preferredDuringSchedulingIgnoredDuringExecution" (list $soft)) -}}
{{- end -}}
{{- with $affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Keys that every endpoint of a ServiceMonitor takes from its values. Argument: the values. */ -}}
{{- define "standin.endpoint" -}}
{{- range $key := list "interval" "scrapeTimeout" "metricRelabelings" "relabelings" }}
{{- with index $ $key }}
{{ toYaml (dict $key .) }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Arguments: root, name of the Service and of the Ingress, labels, values of the ingress, port, paths. */ -}}
{{- define "standin.ingress" -}}
{{- $root := index . 0 -}}
{{- $ingress := index . 3 -}}
{{- $backend := dict "service" (dict "name" (index . 1) "port" (dict "number" (index . 4))) -}}
{{- $paths := list -}}
{{- range index . 5 -}}
{{- $type := $ingress.pathType | default "ImplementationSpecific" -}}
{{- $paths = append $paths (dict "path" (tpl . $root) "pathType" $type "backend" $backend) -}}
{{- end }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- index . 2 | nindent 4 }}
    {{- with $ingress.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $ingress.annotations }}
  annotations: {{- tpl (toYaml .) $root | nindent 4 }}
  {{- end }}
spec:
  {{- with $ingress.ingressClassName }}
  ingressClassName: {{ . }}
  {{- end }}
  rules:
    {{- range $ingress.hosts }}
    - host: {{ tpl . $root | quote }}
      http: {{- toYaml (dict "paths" $paths) | nindent 8 }}
    {{- else }}
    - http: {{- toYaml (dict "paths" $paths) | nindent 8 }}
    {{- end }}
  {{- with $ingress.tls }}
  tls: {{- tpl (toYaml .) $root | nindent 4 }}
  {{- end }}
{{- end -}}
