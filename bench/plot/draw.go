package main

import (
	"fmt"
	"image/color"
	"os"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// run is what is drawn of the file that clearspan-bench writes.
type run struct {
	Figures []figure `json:"figures"`
}

// figure is what one program showed at one workload.
type figure struct {
	Workload string    `json:"workload"`
	Title    string    `json:"title"`
	Curve    string    `json:"curve"` // of which it is a point; "" if of none
	X        int       `json:"x"`     // where on the curve
	Program  string    `json:"program"`
	Unit     string    `json:"unit"`
	Cost     []float64 `json:"cost"` // by round
}

// cost returns the median of the rounds, 0 if there is none.
func (f figure) cost() float64 {
	s := slices.Sorted(slices.Values(f.Cost))
	if len(s) == 0 {
		return 0
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// drawing is some plots side by side.
type drawing []*plot.Plot

const (
	width  = 3.6 * vg.Inch // of a plot
	height = 4 * vg.Inch
)

// workloads are those whose costs are drawn.
var workloads = []string{"bulk", "requests", "handshakes", "idle"}

var (
	us   = color.RGBA{0x1f, 0x77, 0xb4, 0xff}
	them = color.RGBA{0x9a, 0x9a, 0x9a, 0xff}
)

// costs draws what one unit of work costs each program, least first.
func costs(r run) (drawing, error) {
	var d drawing
	for _, name := range workloads {
		var figures []figure
		for _, f := range r.Figures {
			if f.Workload == name && f.cost() > 0 {
				figures = append(figures, f)
			}
		}
		if len(figures) == 0 {
			continue
		}
		slices.SortFunc(figures, func(a, b figure) int {
			if a.cost() > b.cost() {
				return -1
			}
			return 1
		})
		p := plot.New()
		p.Title.Text, p.X.Label.Text = name, figures[0].Unit
		var names []string
		for i, f := range figures {
			bar, err := plotter.NewBarChart(plotter.Values{f.cost()}, vg.Points(12))
			if err != nil {
				return nil, err
			}
			bar.Horizontal, bar.XMin, bar.Color, bar.LineStyle.Width = true, float64(i), them, 0
			if strings.HasPrefix(f.Program, "clearspan") {
				bar.Color = us
			}
			p.Add(bar)
			names = append(names, f.Program)
		}
		p.NominalY(names...)
		p.X.Min = 0
		d = append(d, p)
	}
	return d, nil
}

// curve draws how cost changes, a line a program.
func curve(kind string) func(run) (drawing, error) {
	return func(r run) (drawing, error) {
		lines := make(map[string]plotter.XYs)
		var order []string
		p := plot.New()
		for _, f := range r.Figures {
			if f.Curve != kind || f.cost() <= 0 {
				continue
			}
			if lines[f.Program] == nil {
				order = append(order, f.Program)
			}
			lines[f.Program] = append(lines[f.Program], plotter.XY{X: float64(f.X), Y: f.cost()})
			p.Title.Text, p.Y.Label.Text = f.Title, f.Unit
		}
		if len(order) == 0 {
			return nil, nil
		}
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
		p.Legend.Top = true
		for i, program := range order {
			line, points, err := plotter.NewLinePoints(lines[program])
			if err != nil {
				return nil, err
			}
			line.Color = shade(i, len(order))
			line.Dashes = []vg.Length{vg.Points(4), vg.Points(2)}
			if strings.HasPrefix(program, "clearspan") {
				line.Dashes, line.Width = nil, vg.Points(2)
			}
			points.Color, points.Shape = line.Color, vgdraw.CircleGlyph{}
			p.Add(line, points)
			p.Legend.Add(program, line, points)
		}
		return drawing{p}, nil
	}
}

// shade returns the i-th of n colours that differ.
func shade(i, n int) color.Color {
	hues := []color.RGBA{
		{0x1f, 0x77, 0xb4, 0xff}, {0xff, 0x7f, 0x0e, 0xff}, {0x2c, 0xa0, 0x2c, 0xff}, {0xd6, 0x27, 0x28, 0xff}, {0x94, 0x67, 0xbd, 0xff},
		{0x8c, 0x56, 0x4b, 0xff}, {0xe3, 0x77, 0xc2, 0xff}, {0x7f, 0x7f, 0x7f, 0xff}, {0xbc, 0xbd, 0x22, 0xff}, {0x17, 0xbe, 0xcf, 0xff},
	}
	return hues[i%len(hues)]
}

// save writes a drawing as kind svg or png.
func save(d drawing, kind, file string) error {
	columns := min(len(d), 2)
	rows := (len(d) + columns - 1) / columns
	w, h := vg.Length(columns)*width*1.4, vg.Length(rows)*height
	var canvas interface {
		vg.CanvasSizer
		vg.CanvasWriterTo
	}
	switch kind {
	case "svg":
		canvas = vgsvg.New(w, h)
	case "png":
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(120))}
	default:
		return fmt.Errorf("unknown kind %q", kind)
	}
	grid := make([][]*plot.Plot, rows)
	for i := range grid {
		grid[i] = make([]*plot.Plot, columns)
		copy(grid[i], d[i*columns:])
	}
	tiles := vgdraw.Tiles{Rows: rows, Cols: columns, PadX: vg.Points(12), PadY: vg.Points(12), PadTop: vg.Points(6), PadBottom: vg.Points(6), PadLeft: vg.Points(6), PadRight: vg.Points(10)}
	for i, row := range plot.Align(grid, tiles, vgdraw.New(canvas)) {
		for j, tile := range row {
			if grid[i][j] != nil {
				grid[i][j].Draw(tile)
			}
		}
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
