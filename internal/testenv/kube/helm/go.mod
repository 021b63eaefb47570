module lastnight/internal/testenv/kube/helm

go 1.26.8

require helm.sh/helm/v3 v3.17.3
