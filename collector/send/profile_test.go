package send_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"lastnight/collector"
	"lastnight/collector/checkpoint"
	"lastnight/collector/send"
	"lastnight/internal/vfs"
)

// BenchmarkCollect reads a directory of pod logs, named by LASTNIGHT_PODS, and sends it to a server that keeps nothing.
func BenchmarkCollect(b *testing.B) {
	dir := os.Getenv("LASTNIGHT_PODS")
	if dir == "" {
		b.Skip("LASTNIGHT_PODS names no directory laid out as /var/log/pods")
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer srv.Close()
	for b.Loop() {
		client, err := send.NewClient(send.ClientConfig{URL: srv.URL})
		if err != nil {
			b.Fatal(err)
		}
		check, err := checkpoint.Open(vfs.NewMem(), slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		s := send.New(send.Config{Client: client, Checkpoint: check})
		st, err := collector.Import(b.Context(), collector.Config{Ingester: s, Workers: 1}, dir)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(st.Bytes)
	}
}
