package clusterer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"lastnight"
	"lastnight/internal/header"
)

// The formats of RunConfig.
const (
	FormatRaw     = "raw"     // lines with their header: time, level, logger …
	FormatMessage = "message" // lines are messages
)

// RunConfig is what Run does with lines.
type RunConfig struct {
	Config

	Final  bool   // templates and variables as they stand after the last line; keeps all lines in memory
	Format string // FormatRaw (default) or FormatMessage

	// MessageAt tells where the message begins in a raw line, in [0, len(line)]. It is
	// called for each line in order. nil: what package header recognises.
	MessageAt func(line []byte) int

	Report func(Stats) // called once at the end, with or without an error; may be nil
}

// maxFinal is how many templates are kept by default where all lines are kept anyway.
const maxFinal = 1 << 17

// maxLine bounds a line of Run's input, in bytes.
const maxLine = 64 << 20

// result is what Run writes of a line.
type result struct {
	Line      int      `json:"line"` // from 1
	Template  string   `json:"template_id"`
	Text      string   `json:"template"`
	Variables []string `json:"variables"`
}

// Run clusters the lines of in with a Clusterer of its own and writes a JSON object
// a line to out: number, template_id, template, variables. Each line is a record of its
// own, and of a raw line only the message counts. Without Final, template and variables are what is known when the line
// arrives, and Render(template, variables) is the message. With Final they are those of
// all lines of the template, as people write it: what is variable by its place
// alone but always was the same is constant, and runs of blanks are one.
func Run(ctx context.Context, in io.Reader, out io.Writer, rc RunConfig) error {
	if rc.Format != FormatRaw && rc.Format != FormatMessage && rc.Format != "" {
		return lastnight.Errorf(lastnight.CodeInvalid, "formats are raw and message", "unknown format %q", rc.Format)
	}
	w := bufio.NewWriterSize(out, 1<<16)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if rc.Final && rc.MaxTemplates == 0 {
		rc.MaxTemplates = maxFinal
	}
	c := New(rc.Config)
	r := bufio.NewReaderSize(in, 1<<18)
	if rc.Report != nil {
		defer func() { rc.Report(c.Stats()) }()
	}
	messageAt := rc.MessageAt
	if messageAt == nil {
		var learnFrom []byte
		if rc.Final { // nothing is written before the end anyway
			learnFrom, _ = r.Peek(1 << 18) // what fails here fails again
		}
		messageAt = headerEnd(learnFrom)
	}
	var kept [][]byte
	var ids []string
	var vars []lastnight.Var
	var buf []byte
	err := eachLine(ctx, r, func(n int, line []byte) error {
		if rc.Format != FormatMessage {
			line = line[messageAt(line):]
		}
		m := c.Add(line, nil, vars)
		vars = m.Vars
		if rc.Final {
			kept, ids = append(kept, append([]byte(nil), line...)), append(ids, m.ID)
			return nil
		}
		buf = c.appendResult(buf[:0], n, line, m)
		_, err := w.Write(buf)
		return err
	})
	if err == nil && rc.Final {
		err = c.present(kept, ids, func(r result) error { return enc.Encode(r) })
	}
	if ferr := w.Flush(); err == nil && ferr != nil {
		err = fmt.Errorf("write results: %w", ferr)
	}
	return err
}

// headerEnd gives a function that tells where the message of a line begins. The layout of lines may be learned from the first.
func headerEnd(first []byte) func([]byte) int {
	var p header.Parser
	var h header.Header
	for len(first) > 0 {
		line, rest, _ := bytes.Cut(first, []byte{'\n'})
		p.Parse(line, &h)
		first = rest
	}
	return func(line []byte) int {
		p.Parse(line, &h)
		return h.MessageAt
	}
}

// eachLine calls f for each line, without its newline. The line is valid during the call.
func eachLine(ctx context.Context, r *bufio.Reader, f func(n int, line []byte) error) error {
	var long []byte
	for n := 1; ; n++ {
		if n%1024 == 1 && ctx.Err() != nil {
			return ctx.Err()
		}
		long = long[:0]
		line, err := r.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, line...); len(long) > maxLine {
				return lastnight.Errorf(lastnight.CodeTooLarge, "", "line %d is longer than %d MiB", n, maxLine>>20)
			}
			line, err = r.ReadSlice('\n')
		}
		if len(long) > 0 {
			long = append(long, line...)
			line = long
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read line %d: %w", n, err)
		}
		if err != nil && len(line) == 0 {
			return nil
		}
		if k := len(line); k > 0 && line[k-1] == '\n' {
			line = line[:k-1]
		}
		if ferr := f(n, line); ferr != nil {
			return fmt.Errorf("line %d: %w", n, ferr)
		}
		if err != nil {
			return nil
		}
	}
}
