package archive

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"lastnight"
)

const (
	// pageKeys is how many generations a page has: a few KB.
	pageKeys = 256
	// indexPages is how many pages a part of the index has.
	indexPages = 256
)

// fence is a page, or a part of the index: where it is, and the first generation in it.
type fence struct {
	first genKey
	part
}

// writePages writes generations, which are in order, and where they are.
func writePages(w *fileWriter, keys []listedKey, z *compressor) (index []fence) {
	var pages []fence
	for len(keys) > 0 {
		end := min(pageKeys, len(keys))
		for end < len(keys) && keys[end].genKey == keys[end-1].genKey {
			end++ // a generation is in one page
		}
		pages = append(pages, fence{keys[0].genKey, w.add(z.zstd.EncodeAll(encodePage(keys[:end]), nil))})
		keys = keys[end:]
	}
	for some := range slices.Chunk(pages, indexPages) {
		index = append(index, fence{some[0].first, w.add(z.zstd.EncodeAll(encodeFences(some), nil))})
	}
	return index
}

func encodeFences(list []fence) []byte {
	var e enc
	e.len(len(list))
	for i := range list {
		encodeKey(&e, list[i].first)
		encodePart(&e, list[i].part)
	}
	return e.b
}

// decodeFences reads where pages are, all before an offset.
func decodeFences(raw []byte, end int64) ([]fence, error) {
	d := &dec{b: raw}
	var list []fence
	for range d.count() {
		list = append(list, fence{decodeKey(d), decodePart(d, end)})
		if d.err != nil {
			break
		}
	}
	return list, d.done("index of pages")
}

// encodePage writes generations in order.
func encodePage(keys []listedKey) []byte {
	var e enc
	e.len(len(keys))
	var last uint64
	for i := range keys {
		k := &keys[i]
		e.uint(k.stream - last)
		last = k.stream
		e.int(k.gen.Start)
		e.u32(k.gen.Sum)
		e.len(k.file)
		e.len(len(k.extents))
		var at int64
		for _, x := range k.extents {
			e.int(x.from - at)
			e.int(x.to - x.from)
			at = x.to
		}
		e.len(len(k.partials))
		for _, p := range k.partials {
			e.int(p.off)
			e.int(p.n)
		}
	}
	return e.b
}

func decodePage(raw []byte, files int) ([]listedKey, error) {
	d := &dec{b: raw}
	var keys []listedKey
	var last uint64
	for range d.count() {
		last += d.uint()
		k := listedKey{genKey: genKey{last, lastnight.Generation{Start: d.int(), Sum: d.u32()}}, file: d.index(files)}
		var at int64
		for range d.count() {
			s := span{from: at + d.int()}
			s.to = s.from + d.int()
			at = s.to
			k.extents = append(k.extents, s)
		}
		for range d.count() {
			k.partials = append(k.partials, partial{d.int(), d.int()})
		}
		if d.err != nil {
			break
		}
		keys = append(keys, k)
	}
	return keys, d.done("page")
}

// fenceOf gives the fence that has a generation if any has; nil: none does.
func fenceOf(list []fence, k genKey) *fence {
	i, found := slices.BinarySearchFunc(list, k, func(f fence, k genKey) int { return f.first.compare(k) })
	switch {
	case found:
		return &list[i]
	case i == 0:
		return nil
	}
	return &list[i-1]
}

// pages gives a part of the index of a manifest, from the cache or read anew.
func (a *Archive) pages(ctx context.Context, m *manifest, f *fence) ([]fence, error) {
	return ofManifest(ctx, a, m, m.name+"#index"+strconv.FormatInt(f.off, 16), f.part, func(raw []byte) ([]fence, int64, error) {
		list, err := decodeFences(raw, f.off)
		return list, 48 * int64(len(list)), err
	})
}

// page gives a page of a manifest, from the cache or read anew.
func (a *Archive) page(ctx context.Context, m *manifest, f *fence) ([]listedKey, error) {
	return ofManifest(ctx, a, m, m.name+"#"+strconv.FormatInt(f.off, 16), f.part, func(raw []byte) ([]listedKey, int64, error) {
		keys, err := decodePage(raw, m.count)
		var size int64
		for i := range keys {
			size += int64(96 + 16*(len(keys[i].extents)+len(keys[i].partials)))
		}
		return keys, size, err
	})
}

// pageOf gives the page of a manifest that has a generation if any has; nil: none does.
func (a *Archive) pageOf(ctx context.Context, m *manifest, k genKey) (*fence, error) {
	if k.gen.Start < m.minGen || k.gen.Start > m.maxGen {
		return nil, nil //nolint:nilnil // no page and no error
	}
	f := fenceOf(m.index, k)
	if f == nil {
		return nil, nil //nolint:nilnil // no page and no error
	}
	list, err := a.pages(ctx, m, f)
	if err != nil {
		return nil, err
	}
	return fenceOf(list, k), nil
}

// eachPage calls do with the generations of all pages of a manifest, read by get.
func (m *manifest) eachPage(ctx context.Context, get ranger, do func([]listedKey)) error {
	for i := range m.index {
		raw, err := readPacked(ctx, m.index[i].part, get)
		if err != nil {
			return err
		}
		list, err := decodeFences(raw, m.index[i].off)
		if err != nil {
			return fmt.Errorf("offset %d: %w", m.index[i].off, err)
		}
		for j := range list {
			raw, err := readPacked(ctx, list[j].part, get)
			if err != nil {
				return err
			}
			keys, err := decodePage(raw, m.count)
			if err != nil {
				return fmt.Errorf("offset %d: %w", list[j].off, err)
			}
			do(keys)
		}
	}
	return nil
}
