package api

import (
	"io"
	"net/http"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/klauspost/compress/gzip"
)

// compressLevel of gzip: more costs more time than the bytes saved are worth on a LAN.
const compressLevel = 1

// compress is the middleware that compresses answers for those who accept it.
func compress() func(http.Handler) http.Handler {
	c := middleware.NewCompressor(compressLevel, "application/json", problemType, ndjsonType, "text/plain", yamlType)
	c.SetEncoder("gzip", func(w io.Writer, level int) io.Writer { // takes two thirds of the time of the standard library's
		z, err := gzip.NewWriterLevel(w, level)
		if err != nil {
			return w // no such level; the constant is one
		}
		return z
	})
	return c.Handler
}
