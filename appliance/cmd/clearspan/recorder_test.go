package main

import (
	"os"
	"slices"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
)

// writeTransfers writes a capture of transfers of files.
func writeTransfers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: transfers FILE ROW...")
	}
	rows := rowstest.Rows()
	var frames []rowstest.Frame
	for _, name := range args[1:] {
		i := slices.IndexFunc(rows, func(r rowstest.Row) bool { return r.Name == name })
		if i < 0 {
			ts.Fatalf("no row %q", name)
		}
		frames = append(frames, rowstest.Render{}.Frames(&rows[i])...)
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(rowstest.Write(f, frames))
	ts.Check(f.Close())
}
