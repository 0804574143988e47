// Command plot draws the figures of a run of clearspan-bench:
//
//	go run -C bench/plot . FIGURES.json [DIRECTORY]
//
// It writes cost.svg and one for each curve, such as objects.svg, and the same as
// PNG, to the directory, by default that of the figures. Paths start at bench/plot.
// It is a module of its own so that the others do not need fonts and formats.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: plot FIGURES.json [DIRECTORY]")
		os.Exit(2)
	}
	dir := filepath.Dir(os.Args[1])
	if len(os.Args) == 3 {
		dir = os.Args[2]
	}
	files, err := draw(os.Args[1], dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
	for _, file := range files {
		fmt.Println(file)
	}
}

// draw draws what is in the file of figures, and returns the names of the files it wrote.
func draw(file, dir string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r run
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(r.Figures) == 0 {
		return nil, fmt.Errorf("read %s: no figures", file)
	}
	var files []string
	for name, make := range map[string]func(run) (drawing, error){
		"cost": costs, "objects": curve("objects"), "sessions": curve("sessions"),
		"newcomers": curve("newcomers"), "idle": curve("idle"), "rules": curve("rules"), "entries": curve("entries"), "mirrors": curve("mirrors"),
		"capture": curve("capture"), "capture-large": curve("capture-large"),
	} {
		d, err := make(r)
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", name, err)
		}
		if d == nil {
			continue // such figures were not taken
		}
		for _, kind := range []string{"svg", "png"} {
			to := filepath.Join(dir, name+"."+kind)
			if err := save(d, kind, to); err != nil {
				return nil, fmt.Errorf("draw %s: %w", to, err)
			}
			files = append(files, to)
		}
	}
	return files, nil
}
