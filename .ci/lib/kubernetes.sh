# What judges Kubernetes manifests: kustomize, built with Go, and the schemas of KEDA and of the Prometheus operator, from npm.
# shellcheck shell=bash disable=SC2034,SC2154 # sourced: shares names with its caller

kustomize_version=5.4.3
kustomize=$cache/kustomize-$kustomize_version/kustomize
keda_models_version=2.0.0
prometheus_models_version=6.0.0
custom_models=$cache/kubernetes-models-$keda_models_version-$prometheus_models_version

build_kustomize() { # build_kustomize DIR
  need go 'golang-go, 1.21 or later'
  say "building kustomize $kustomize_version (2 minutes the first time)"
  GOBIN=$1 go install "sigs.k8s.io/kustomize/kustomize/v5@v$kustomize_version"
}

fetch_kustomize() { cached "kustomize-$kustomize_version" build_kustomize; }

install_custom_models() { # install_custom_models DIR
  echo '{"private": true}' >"$1/package.json"
  # They ask for Node 22; what is used of them runs on 20.
  npm install --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error \
    "@kubernetes-models/keda@$keda_models_version" "@kubernetes-models/prometheus-operator@$prometheus_models_version"
}

fetch_custom_models() { cached "${custom_models##*/}" install_custom_models; }
