package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"lastnight"
)

// maxLossesTold bounds the notes under one answer.
const maxLossesTold = 5

// tellLosses says which bytes of what was asked for could not be kept: an answer from a log with holes should say so.
func (o *options) tellLosses(ctx context.Context, w io.Writer, s lastnight.Searcher, req lastnight.SearchRequest) error {
	loc, err := o.location()
	if err != nil {
		return err
	}
	req.Query, req.Kinds, req.Important = "reason:LogsLost", []lastnight.DocumentKind{lastnight.DocumentEvent}, true
	req.Limit, req.Cursor, req.Oldest, req.Signals = maxLossesTold+1, "", false, nil
	n := 0
	for d, err := range s.Search(ctx, req) {
		if err != nil {
			return fmt.Errorf("ask for losses: %w", err)
		}
		if d.Event == nil {
			continue
		}
		if n++; n > maxLossesTold {
			fmt.Fprintln(w, "note: and more: lastnight search reason:LogsLost")
			break
		}
		fmt.Fprintf(w, "note: %s (%s/%s, noticed %s)\n", d.Event.Message, d.Event.Object.Namespace, d.Event.Object.Name, shownTime(d.Event.Time, loc))
	}
	return nil
}

// tellLossesOf does it for the incidents of an answer.
func (o *options) tellLossesOf(ctx context.Context, w io.Writer, s lastnight.Searcher, a *lastnight.Answer) error {
	if len(a.Incidents) == 0 {
		return nil
	}
	const around = time.Hour // a loss is noticed after the lines were written
	start, end := a.Incidents[0].Start, a.Incidents[0].End
	for i := range a.Incidents {
		if x := a.Incidents[i].Start; x.Before(start) {
			start = x
		}
		if x := a.Incidents[i].End; x.After(end) {
			end = x
		}
	}
	return o.tellLosses(ctx, w, s, lastnight.SearchRequest{Namespace: a.Namespace, Job: a.Job, Start: start.Add(-around), End: end.Add(around)})
}
