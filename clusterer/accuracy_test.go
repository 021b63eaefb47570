package clusterer_test

import (
	"bytes"
	"encoding/csv"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lastnight/clusterer"
)

// labeled gives the messages of the labeled data sets by name. LOGHUB names their
// folder. The data are not part of the project.
func labeled(t testing.TB) (messages map[string][]string, dirs map[string]string) {
	t.Helper()
	dir := os.Getenv("LOGHUB")
	if dir == "" {
		t.Skip("LOGHUB, the folder of labeled data sets, is not set")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*_structured_corrected.csv"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no data sets below %s: %v", dir, err)
	}
	messages, dirs = map[string][]string{}, map[string]string{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		_ = f.Close()
		if err != nil {
			t.Fatalf("read %s: %v", name, err)
		}
		set := filepath.Base(filepath.Dir(name))
		dirs[set] = strings.TrimSuffix(name, "_structured_corrected.csv")
		col := slices.Index(rows[0], "Content")
		for _, r := range rows[1:] {
			messages[set] = append(messages[set], strings.ReplaceAll(r[col], "\n", " "))
		}
	}
	return messages, dirs
}

// TestAccuracy writes into LOGHUB_OUT what the evaluator of the labeled data wants. With
// LOGHUB_RAW whole lines are read, not messages.
func TestAccuracy(t *testing.T) {
	messages, logs := labeled(t)
	out := os.Getenv("LOGHUB_OUT")
	if out == "" {
		t.Skip("LOGHUB_OUT, the folder for results, is not set")
	}
	for set, lines := range messages {
		in, format := []byte(strings.Join(lines, "\n")), clusterer.FormatMessage
		if os.Getenv("LOGHUB_RAW") != "" {
			raw, err := os.ReadFile(logs[set])
			if err != nil {
				t.Fatal(err)
			}
			in, format = raw, clusterer.FormatRaw
		}
		var result bytes.Buffer
		if err := clusterer.Run(t.Context(), bytes.NewReader(in), &result, clusterer.RunConfig{Final: true, Format: format}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(out, set+".jsonl"), result.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOrderOfLabeledData: the groups of other orders, and of two halves that two clusterers
// took, agree with those of the file's order.
func TestOrderOfLabeledData(t *testing.T) {
	messages, _ := labeled(t)
	for set, lines := range messages {
		want := grouping(lines, clusterer.New(clusterer.Config{}))
		for seed := range uint64(3) {
			mixed := slices.Clone(lines)
			rand.New(rand.NewPCG(seed, 1)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			a := agreement(lines, want, grouping(mixed, clusterer.New(clusterer.Config{})))
			halves := grouping(mixed[:len(mixed)/2], clusterer.New(clusterer.Config{}))
			maps.Copy(halves, grouping(mixed[len(mixed)/2:], clusterer.New(clusterer.Config{})))
			b := agreement(lines, want, halves)
			t.Logf("%s, seed %d: order %.4f, halves %.4f", set, seed, a, b)
			if a < 0.99 {
				t.Errorf("%s, seed %d: pairwise agreement %.4f in another order, want at least .99", set, seed, a)
			}
		}
	}
}

// TestLabeledDataIsGivenBack: template and variables are the line, byte for byte, of whole raw lines too.
func TestLabeledDataIsGivenBack(t *testing.T) {
	messages, logs := labeled(t)
	for set, lines := range messages {
		raw, err := os.ReadFile(logs[set])
		if err != nil {
			t.Fatal(err)
		}
		c := clusterer.New(clusterer.Config{})
		for _, line := range append(lines, strings.Split(string(raw), "\n")...) {
			check(t, c, []byte(line), c.Add([]byte(line), nil, nil))
		}
	}
}
