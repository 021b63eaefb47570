// Package deploy_test holds true what is shipped to run lastnight: the kustomize base and the
// chart are accepted by a real API server, their rights are what the agent uses, their arguments
// and metrics are the program's.
package deploy_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
	if !strings.Contains(string(b), "COPY --chmod=0555 lastnight_${VERSION}_linux_${TARGETARCH} /lastnight\n") {
		t.Error("the binary that make release makes is not copied")
	}
}
