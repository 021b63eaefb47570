// Command accuracy runs `lastnight cluster --final` over labeled logs and prints how its templates
// agree with what people wrote down: grouping accuracy (GA), parsing accuracy (PA) and
// the F1 of both on templates (FGA, FTA), of messages and of whole raw lines.
//
//	go run ./clusterer/accuracy -loghub DIR -lastnight bin/lastnight
//
// DIR holds a folder a set, NAME/NAME_2k.log and NAME/NAME_2k.log_structured_corrected.csv, as
// Loghub-2k does. Such data have a licence of their own and are no part of the project.
// It fails where a file is missing or unreadable, or lastnight fails, and judges nothing.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const truthSuffix = "_2k.log_structured_corrected.csv"

func main() {
	dir := flag.String("loghub", "", "folder of labeled sets")
	program := flag.String("lastnight", "bin/lastnight", "the program to judge")
	flag.Parse()
	if err := run(context.Background(), *dir, *program, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir, program string, out io.Writer) error {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"+truthSuffix))
	if err != nil || len(files) == 0 || dir == "" {
		return fmt.Errorf("no NAME/NAME%s below %q: give -loghub (make accuracy LOGHUB=DIR) the folder of labeled sets", truthSuffix, dir)
	}
	for _, raw := range []bool{false, true} {
		what := "messages"
		if raw {
			what = "whole raw lines"
		}
		if _, err := fmt.Fprintf(out, "%-16s %6s %6s %6s %6s  found/true\n", what, "GA", "PA", "FGA", "FTA"); err != nil {
			return err
		}
		var all []Measures
		for _, name := range files {
			m, err := judge(ctx, program, name, raw)
			if err != nil {
				return fmt.Errorf("set %s: %w", name, err)
			}
			all = append(all, m)
			row(out, strings.TrimSuffix(filepath.Base(name), truthSuffix), m)
		}
		row(out, "mean", mean(all))
	}
	return nil
}

func row(out io.Writer, name string, m Measures) {
	_, _ = fmt.Fprintf(out, "%-16s %6.3f %6.3f %6.3f %6.3f  %d/%d\n", name, m.GA, m.PA, m.FGA, m.FTA, m.Found, m.True)
}

// judge runs the program over one set.
func judge(ctx context.Context, program, truth string, raw bool) (Measures, error) {
	b, err := os.ReadFile(truth)
	if err != nil {
		return Measures{}, err
	}
	messages, templates, err := readTruth(bytes.NewReader(b))
	if err != nil {
		return Measures{}, err
	}
	for i, m := range messages {
		messages[i] = strings.ReplaceAll(m, "\n", " ")
	}
	in, format := []byte(strings.Join(messages, "\n")+"\n"), "message"
	if raw {
		format = "raw"
		if in, err = os.ReadFile(strings.TrimSuffix(truth, "_structured_corrected.csv")); err != nil {
			return Measures{}, err
		}
	}
	cmd := exec.CommandContext(ctx, program, "cluster", "--final", "--format", format) //nolint:gosec // the user names the program
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	result, err := cmd.Output()
	if err != nil {
		return Measures{}, fmt.Errorf("run %s cluster: %w", program, err)
	}
	got, err := readParsed(bytes.NewReader(result))
	if err != nil {
		return Measures{}, err
	}
	return measure(templates, got)
}
