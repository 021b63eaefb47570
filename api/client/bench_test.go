package client_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"lastnight"
	"lastnight/api"
	"lastnight/api/apitest"
)

// endless gives n documents or lines of one text.
type endless struct {
	*apitest.Memory
	n int
}

func (e endless) Search(context.Context, lastnight.SearchRequest) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		d := e.Documents[3]
		for i := range e.n {
			d.ID = fmt.Sprint(i)
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (e endless) RawLines(context.Context, lastnight.SearchRequest) iter.Seq2[lastnight.RawLine, error] {
	return func(yield func(lastnight.RawLine, error) bool) {
		l := e.Lines[0]
		l.Text = make([]byte, 180)
		for i := range l.Text {
			l.Text[i] = byte('a' + i%26)
		}
		for range e.n {
			l.Time = l.Time.Add(time.Millisecond)
			if !yield(l, nil) {
				return
			}
		}
	}
}

const benchDocuments = 20_000

func benchClient(b *testing.B) lastnight.Searcher {
	m := apitest.Sample()
	h, err := api.New(api.Config{Searcher: endless{m, benchDocuments}, Investigator: m})
	if err != nil {
		b.Fatal(err)
	}
	return dial(b, h)
}

// BenchmarkSearch is documents over HTTP and back, one after the other.
func BenchmarkSearch(b *testing.B) {
	c := benchClient(b)
	b.ReportAllocs()
	for b.Loop() {
		if docs, err := collect(c.Search(b.Context(), lastnight.SearchRequest{})); err != nil || len(docs) != benchDocuments {
			b.Fatal(len(docs), err)
		}
	}
	b.ReportMetric(float64(benchDocuments)*float64(b.N)/b.Elapsed().Seconds(), "docs/s")
}

// BenchmarkRawLines is raw lines of 180 bytes over HTTP and back.
func BenchmarkRawLines(b *testing.B) {
	c := benchClient(b)
	b.ReportAllocs()
	b.SetBytes(benchDocuments * 181)
	for b.Loop() {
		n := 0
		for _, err := range c.RawLines(b.Context(), lastnight.SearchRequest{Job: "x"}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != benchDocuments {
			b.Fatal(n)
		}
	}
}
