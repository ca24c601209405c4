{{- /*
SPDX-License-Identifier: GPL-3.0-or-later
SPDX-FileCopyrightText: dataplatform.monitoring contributors

Loki's configuration, built as a map from .Values.loki and overridden by structuredConfig.
*/ -}}

{{- /* Arguments: values of loki.storage, name of the bucket. Loki's names for what the chart writes in camel case. */ -}}
{{- define "standin.s3" -}}
{{- $s3 := (first .).s3 -}}
{{- $options := dict "bucketnames" (last .) -}}
{{- $names := dict "s3" "s3" "endpoint" "endpoint" "region" "region" "accessKeyId" "access_key_id"
  "secretAccessKey" "secret_access_key" "signatureVersion" "signature_version" "s3ForcePathStyle" "s3forcepathstyle"
  "insecure" "insecure" "http_config" "http_config" "backoff_config" "backoff_config"
  "disable_dualstack" "disable_dualstack" -}}
{{- range $key, $name := $names -}}
{{- with index $s3 $key -}}
{{- $_ := set $options $name . -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "s3" $options) -}}
{{- end -}}

{{- define "standin.config" -}}
{{- $loki := .Values.loki -}}
{{- if $loki.config -}}
{{- tpl $loki.config . -}}
{{- else -}}
{{- $full := include "standin.fullname" . -}}
{{- $domain := printf "%s.svc.%s" .Release.Namespace .Values.global.clusterDomain -}}
{{- $storage := $loki.storage -}}
{{- $ruler := dict "storage" (dict "type" "local") -}}
{{- $common := dict "filesystem" $storage.filesystem -}}
{{- if eq $storage.type "s3" -}}
{{- $chunks := required "Please define loki.storage.bucketNames.chunks" $storage.bucketNames.chunks -}}
{{- $rules := required "Please define loki.storage.bucketNames.ruler" $storage.bucketNames.ruler -}}
{{- $common = include "standin.s3" (list $storage $chunks) | fromYaml -}}
{{- $ruler = dict "storage" (include "standin.s3" (list $storage $rules) | fromYaml | merge (dict "type" "s3")) -}}
{{- end -}}
{{- $members := list (printf "%s-memberlist.%s" $full $domain) -}}
{{- $schema := $loki.schemaConfig -}}
{{- if $loki.useTestSchema -}}
{{- $index := dict "prefix" "index_" "period" "24h" -}}
{{- $schema = dict "configs" (list (dict "from" "2024-04-01" "store" "tsdb" "schema" "v13" "index" $index
  "object_store" $storage.type)) -}}
{{- end -}}
{{- $config := dict
  "auth_enabled" $loki.auth_enabled
  "common" (merge (dict "storage" $common "compactor_grpc_address" (printf "%s.%s:9095" $full $domain)) $loki.commonConfig)
  "memberlist" ($loki.memberlistConfig | default (merge (dict "join_members" $members) $loki.extraMemberlistConfig))
  "runtime_config" (dict "file" "/etc/loki/runtime-config/runtime-config.yaml")
  "schema_config" $schema
  "ruler" (merge $ruler $loki.rulerConfig)
  "query_range" (merge (dict "align_queries_with_step" true) $loki.query_range)
  "tracing" $loki.tracing
-}}
{{- range $section := list "server" "limits_config" "ingester" "compactor" "querier" "query_scheduler" "frontend"
  "distributor" "pattern_ingester" "analytics" "storage_config" -}}
{{- with index $loki $section -}}
{{- $_ := set $config $section . -}}
{{- end -}}
{{- end -}}
{{- $config = tpl (toYaml $config) . | fromYaml -}}
{{- toYaml (mergeOverwrite $config (tpl (toYaml $loki.structuredConfig) . | fromYaml)) -}}
{{- end -}}
{{- end -}}
