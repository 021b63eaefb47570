// Package deploy_test holds true what is shipped to run lastnight: the kustomize base and the
// chart are accepted by a real API server, their rights are what the agent uses, their arguments
// and metrics are the program's.
package deploy_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"lastnight/internal/testenv/kube"
)

const namespace = "lastnight"

// decode reads YAML documents.
func decode(t *testing.T, b []byte) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	in := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(b)))
	for {
		doc, err := in.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict(doc, &u.Object); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		if len(u.Object) > 0 {
			objects = append(objects, u)
		}
	}
}

// base gives the objects of the kustomize base: its resources as they are, since it changes only
// images and a namespace that they have already.
func base(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	var k struct {
		Namespace string   `json:"namespace"`
		Resources []string `json:"resources"`
		Images    []struct {
			Name string `json:"name"`
		} `json:"images"`
	}
	b, err := os.ReadFile("base/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &k); err != nil {
		t.Fatal(err)
	}
	if k.Namespace != namespace || len(k.Images) != 1 || k.Images[0].Name != "lastnight" {
		t.Errorf("kustomization: %+v", k)
	}
	var objects []*unstructured.Unstructured
	for _, name := range k.Resources {
		b, err := os.ReadFile(filepath.Join("base", name))
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, decode(t, b)...)
	}
	files, err := filepath.Glob("base/*.yaml")
	if err != nil || len(files) != len(k.Resources)+1 {
		t.Errorf("the folder has %d files, the kustomization %d resources (%v)", len(files), len(k.Resources), err)
	}
	return objects
}

// helm renders the chart with helm itself; the test is skipped where that is not built.
func helm(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	bin, err := kube.Find()
	if err != nil {
		t.Skipf("helm: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), bin.Helm, append([]string{"template", "night", "chart/lastnight", "--namespace", namespace, "--kube-version", "1.32.3"}, args...)...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.New(stderr.String())
	}
	return out, nil
}

func rendered(t *testing.T, args ...string) []*unstructured.Unstructured {
	t.Helper()
	out, err := helm(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, out)
}

// replicas are the values of a server that is several.
func replicas() []string {
	return []string{
		"--set", "server.replicas=3", "--set", "server.store=https://elasticsearch:9200", "--set", "server.archive=s3://lastnight?region=eu-central-1",
		"--set", "server.envFrom[0].secretRef.name=lastnight-tiers",
	}
}

// With both tiers elsewhere the server is several pods without a disk, and agents see each of them.
func TestReplicas(t *testing.T) {
	objects := rendered(t, replicas()...)
	if n := len(find(objects, "StatefulSet")); n != 0 {
		t.Errorf("%d StatefulSets", n)
	}
	servers := find(objects, "Deployment")
	if len(servers) != 1 {
		t.Fatalf("%d Deployments", len(servers))
	}
	if n, _, _ := unstructured.NestedFieldNoCopy(servers[0].Object, "spec", "replicas"); fmt.Sprint(n) != "3" {
		t.Errorf("%v replicas", n)
	}
	volumes, _, _ := unstructured.NestedSlice(servers[0].Object, "spec", "template", "spec", "volumes")
	for _, v := range volumes {
		m, _ := v.(map[string]any)
		if m["emptyDir"] == nil && m["secret"] == nil {
			t.Errorf("a volume that outlives the pod: %v", v)
		}
	}
	headless := ""
	for _, s := range find(objects, "Service") {
		if ip, _, _ := unstructured.NestedString(s.Object, "spec", "clusterIP"); ip == "None" {
			headless = s.GetName()
		}
	}
	text := func(u *unstructured.Unstructured) string {
		b, err := yaml.Marshal(u.Object)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	agent := text(find(objects, "DaemonSet")[0])
	if headless == "" || !strings.Contains(agent, "--server=http://"+headless+":7077") {
		t.Errorf("agents do not send to the headless Service %q:\n%s", headless, agent)
	}
	for _, want := range []string{"--store=https://elasticsearch:9200", "--archive=s3://lastnight", headless + ".lastnight.svc", "lastnight-tiers"} {
		if !strings.Contains(text(servers[0]), want) {
			t.Errorf("the Deployment lacks %q", want)
		}
	}
	if strings.Contains(text(servers[0]), "--data") {
		t.Error("a server without a disk is given a data directory")
	}
	if n := len(find(objects, "PodDisruptionBudget")); n != 1 {
		t.Errorf("%d PodDisruptionBudgets", n)
	}
}

// Each pod that is shipped has no more than it needs: no root file system to write, no privileges to gain.
func TestLeastPrivilege(t *testing.T) {
	for name, objects := range map[string][]*unstructured.Unstructured{"base": base(t), "chart": rendered(t), "replicas": rendered(t, replicas()...)} {
		pods := 0
		for _, kind := range []string{"DaemonSet", "StatefulSet", "Deployment"} {
			for _, u := range find(objects, kind) {
				pods++
				leastPrivilege(t, name+" "+kind, u)
			}
		}
		if pods != 2 {
			t.Errorf("%s: %d kinds of pods", name, pods)
		}
	}
}

func leastPrivilege(t *testing.T, name string, u *unstructured.Unstructured) {
	t.Helper()
	raw, _, err := unstructured.NestedMap(u.Object, "spec", "template", "spec")
	var pod corev1.PodSpec
	if err == nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &pod)
	}
	if err != nil || len(pod.Containers) != 1 {
		t.Fatalf("%s: %v", name, err)
	}
	c := pod.Containers[0]
	s := c.SecurityContext
	switch {
	case s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem:
		t.Errorf("%s: its root file system may be written", name)
	case s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.Privileged != nil && *s.Privileged:
		t.Errorf("%s: may gain privileges", name)
	case s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0:
		t.Errorf("%s: capabilities %+v", name, s.Capabilities)
	case pod.SecurityContext == nil || pod.SecurityContext.SeccompProfile == nil || pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
		t.Errorf("%s: no seccomp profile", name)
	case pod.HostNetwork || pod.HostPID || pod.HostIPC:
		t.Errorf("%s: shares the node's namespaces", name)
	}
	hostPaths := map[string]string{}
	for _, v := range pod.Volumes {
		if v.HostPath != nil {
			hostPaths[v.Name] = v.HostPath.Path
		}
	}
	for _, m := range c.VolumeMounts {
		if p := hostPaths[m.Name]; p != "" && !m.ReadOnly && p != "/var/lib/lastnight-agent" {
			t.Errorf("%s: writes %s of the node", name, p)
		}
	}
	if u.GetKind() != "DaemonSet" {
		if len(hostPaths) > 0 || pod.SecurityContext.RunAsNonRoot == nil || !*pod.SecurityContext.RunAsNonRoot || *pod.AutomountServiceAccountToken {
			t.Errorf("%s: hostPaths %v, root, or a token", name, hostPaths)
		}
	} else if len(hostPaths) != 2 {
		t.Errorf("%s: hostPaths %v, want the logs and a directory for checkpoints", name, hostPaths)
	}
}

// The schema refuses what would not work, and says where.
func TestWrongValues(t *testing.T) {
	for _, wrong := range [][]string{
		{"server.replicas=2"},
		{"server.replicas=2", "server.store=https://e:9200"},
		{"server.replicas=2", "server.archive=s3://b"},
		{"server.replicas=0"},
		{"server.store=elasticsearch"},
		{"server.archive=/data"},
		{"server.storage=lots"},
		{"server.archiveMaxAge=30d"},
		{"image.repository="},
		{"image.pullPolicy=Sometimes"},
		{"agent.podsDir=var/log/pods"},
		{"agent.serverURL=elsewhere:7077"},
		{"agent.supplementalGroups={-1}"},
		{"secrets.ingest=Not_A_Name"},
		{"serviceMonitor.interval=often"},
		{"nonsense=1"},
		{"server.nonsense=1"},
	} {
		var args []string
		for _, w := range wrong {
			args = append(args, "--set", w)
		}
		_, err := helm(t, args...)
		field, _, _ := strings.Cut(wrong[0], "=")
		leaf := field[strings.LastIndex(field, ".")+1:]
		leaf, _, _ = strings.Cut(leaf, "[")
		if err == nil {
			t.Errorf("%v is taken", wrong)
		} else if !strings.Contains(err.Error(), "schema") || field != "server.replicas" && !strings.Contains(err.Error(), leaf) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	if _, err := helm(t, replicas()...); err != nil {
		t.Errorf("right values are refused: %v", err)
	}
}

// find gives the objects of a kind.
func find(objects []*unstructured.Unstructured, kind string) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(u *unstructured.Unstructured) bool { return u.GetKind() != kind })
}

// The image has our binary, a base without a shell, and a user who is not root.
func TestDockerfile(t *testing.T) {
	b, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var stages []string
	user, entry := "", ""
	for line := range strings.Lines(string(b)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "FROM":
			stages = append(stages, rest)
		case "USER":
			user = rest
		case "ENTRYPOINT":
			entry = rest
		case "RUN", "ADD":
			t.Errorf("%s: there is no shell in the image, and nothing is fetched", strings.TrimSpace(line))
		}
	}
	if len(stages) != 1 || !strings.Contains(stages[0], "distroless/static") || !strings.HasSuffix(stages[0], ":nonroot") {
		t.Errorf("base %v, want one distroless static image for others than root", stages)
	}
	if user != "65532:65532" || entry != `["/lastnight"]` {
		t.Errorf("user %q, entry point %q", user, entry)
	}
	// What the release makes is what the image takes, for both platforms.
	cmd := exec.CommandContext(t.Context(), "make", "-n", "release", "VERSION=v9", "node_problem=")
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make -n release: %v\n%s", err, out)
	}
	for _, want := range []string{"for arch in amd64 arm64;", "CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build", "-X main.version=v9'", "-o bin/release/lastnight_v9_linux_$arch ", "sha256sum lastnight_* > SHA256SUMS"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("make release lacks %q:\n%s", want, out)
		}
	}
	if !strings.Contains(string(b), "COPY --chmod=0555 lastnight_${VERSION}_linux_${TARGETARCH} /lastnight\n") {
		t.Error("the binary that make release makes is not copied")
	}
}
