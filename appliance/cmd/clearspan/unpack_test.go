package main

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// unpack unpacks an archive into the directory of the script.
func unpack(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, false, "unpack FILE")
	f, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	packed, err := zstd.NewReader(f)
	ts.Check(err)
	defer packed.Close()
	for from := tar.NewReader(packed); ; {
		head, err := from.Next()
		if err == io.EOF {
			return
		}
		ts.Check(err)
		name := ts.MkAbs(head.Name)
		ts.Check(os.MkdirAll(filepath.Dir(name), 0o700))
		to, err := os.Create(name)
		ts.Check(err)
		_, err = io.Copy(to, from)
		ts.Check(err)
		ts.Check(to.Close())
	}
}
