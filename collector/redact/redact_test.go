package redact_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lastnight/collector/redact"
)

func rules(t testing.TB, own ...redact.Rule) *redact.Rules {
	t.Helper()
	r, err := redact.New(redact.Names(), own)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRedact(t *testing.T) {
	r := rules(t, redact.Rule{Name: "customer", Pattern: `customer=(\d+)`}, redact.Rule{Name: "iban", Pattern: `\bDE\d{20}\b`})
	for in, want := range map[string]string{
		"mail to jane.doe+x@example.org failed":                     "mail to " + strings.Repeat("*", 22) + " failed",
		"user a@b, no address":                                      "user a@b, no address",
		"Authorization: Bearer abcDEF123456.x":                      "Authorization: Bearer **************",
		"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_-1 end":       "jwt " + strings.Repeat("*", 43) + " end",
		`{"password":"hunter2","user":"x"}`:                         `{"password":"*******","user":"x"}`,
		"PASSWORD = hunter2; next":                                  "PASSWORD = *******; next",
		"s3 key AKIAABCDEFGHIJKLMNOP used":                          "s3 key ******************** used",
		"jdbc:postgresql://u:pw@db:5432/x":                          "jdbc:postgresql://u:**@db:5432/x",
		"customer=4711 pays from DE02120300000000202051":            "customer=**** pays from **********************",
		"Job a1b2c3 switched from state RUNNING to RESTARTING.":     "Job a1b2c3 switched from state RUNNING to RESTARTING.",
		"TaskManager 10.0.0.1:6122-abc, token bucket of 5 is empty": "TaskManager 10.0.0.1:6122-abc, token bucket of 5 is empty",
	} {
		got, n := r.Redact([]byte(in))
		if string(got) != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
		if (n > 0) != (in != want) || len(got) != len(in) {
			t.Errorf("%q: %d places, %d bytes", in, n, len(got))
		}
		if again, n := r.Redact(got); n != 0 || !bytes.Equal(again, got) {
			t.Errorf("%q is masked again: %q (%d places)", got, again, n)
		}
	}
}

func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "rules.yaml")
	for text, ok := range map[string]bool{
		"rules:\n- name: a\n  pattern: 'x(y)'\n": true,
		"rules: []\n":                            true,
		"rules:\n- name: a\n  pattern: '('\n":    false,
		"rules:\n- name: a\n  pattern: 'x*'\n":   false,
		"rule:\n- name: a\n":                     false,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		own, err := redact.ReadFile(name)
		if err == nil {
			_, err = redact.New(nil, own)
		}
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := redact.New([]string{"emails"}, nil); err == nil || !strings.Contains(err.Error(), "emails") {
		t.Errorf("an unknown rule: %v", err)
	}
}

// Masking never changes the length, nor the text that it was given.
func FuzzRedact(f *testing.F) {
	f.Add([]byte("password=abc a@b.de eyJhbGciOiJIUzI1.eyJzdWIiOiIx.x"))
	r := rules(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		got, n := r.Redact(text)
		if len(got) != len(text) || !bytes.Equal(text, before) || n == 0 != bytes.Equal(got, before) {
			t.Errorf("%q becomes %q, %d places", before, got, n)
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	r := rules(b)
	line := []byte("2026-11-21 12:00:00,123 INFO  org.apache.flink.runtime.checkpoint.CheckpointCoordinator [Checkpoint Timer] - Triggering checkpoint 17 for job a1b2c3.")
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		r.Redact(line)
	}
}
