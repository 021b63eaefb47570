//go:build tools

// Package helm pins the helm that tests render the chart with. It is a module of its
// own, so that nothing of it gets into lastnight's.
package helm

import _ "helm.sh/helm/v3/cmd/helm"
