package clusterer_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lastnight/clusterer"
)

// TestAccuracy writes what the evaluator of labeled data wants. LOGHUB names the folder of
// the data sets, LOGHUB_OUT one for the results; with LOGHUB_RAW whole lines are read, not messages. The data are not part of the project.
func TestAccuracy(t *testing.T) {
	dir, out := os.Getenv("LOGHUB"), os.Getenv("LOGHUB_OUT")
	if dir == "" || out == "" {
		t.Skip("accuracy: LOGHUB and LOGHUB_OUT are not set")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*_structured_corrected.csv"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no data sets below %s: %v", dir, err)
	}
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
		var in bytes.Buffer
		col := 0
		for col < len(rows[0]) && rows[0][col] != "Content" {
			col++
		}
		for _, r := range rows[1:] {
			in.WriteString(strings.ReplaceAll(r[col], "\n", " ") + "\n")
		}
		format := clusterer.FormatMessage
		if os.Getenv("LOGHUB_RAW") != "" {
			raw, err := os.ReadFile(strings.Replace(name, "_structured_corrected.csv", "", 1))
			if err != nil {
				t.Fatal(err)
			}
			in.Reset()
			in.Write(raw)
			format = clusterer.FormatRaw
		}
		set := filepath.Base(filepath.Dir(name))
		o, err := os.Create(filepath.Join(out, set+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		err = clusterer.Run(context.Background(), &in, o, clusterer.RunConfig{Final: true, Format: format})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
