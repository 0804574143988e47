package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestFigures(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{grouped(0), "0"}, {grouped(999), "999"}, {grouped(1204), "1,204"}, {grouped(-1234567), "-1,234,567"},
		{octets(uint64(0)), "0 B"}, {octets(uint64(690)), "690 B"}, {octets(uint64(1024)), "1.0 KiB"}, {octets(uint64(123456)), "121 KiB"},
		{octets(uint64(1 << 62)), "4194304 TiB"},
		{bits(0), "0 bit/s"}, {bits(125), "1.0 kbit/s"}, {bits(150e6), "1.2 Gbit/s"},
		{rate(0), "0"}, {rate(.25), "0.2"}, {rate(12.6), "13"}, {rate(1203.9), "1,204"},
		{age(-time.Second), "0s"}, {age(59 * time.Second), "59s"}, {age(90 * time.Second), "1m"}, {age(47 * time.Hour), "47h"}, {age(49 * time.Hour), "2d"},
		{inWords(0), "0 seconds"}, {inWords(time.Second), "1 second"}, {inWords(90 * time.Minute), "1 hour"}, {inWords(3640 * 24 * time.Hour), "3,640 days"},
		{visible("plain häßlich"), "plain häßlich"}, {visible("a\x1b[2Jb"), `a\u001b[2Jb`}, {visible("evil\u202etxt"), `evil\u202etxt`}, {visible("x\xffy"), `x\ufffdy`}, {visible("a\nb"), `a\u000ab`},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

// TestTable: columns stand below each other, and lines fit, however long the cells are.
func TestTable(t *testing.T) {
	for _, width := range []int{0, 40, 80} {
		tab := &table{width: width, columns: []column{{title: "NAME", wide: 6}, {title: "HOST", least: 8}, {title: "N", right: true}, {title: "WHY", least: 5}}}
		tab.row("a", strings.Repeat("host.", 20), "12", "short")
		tab.row("b", "h", "1,204", strings.Repeat("long ", 30))
		var out strings.Builder
		if err := tab.write(&out, false); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != 3 || !strings.HasPrefix(lines[1], "a       host.h") {
			t.Errorf("%q", lines)
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); width > 0 && n > width {
				t.Errorf("width %d: %d characters: %s", width, n, line)
			}
		}
		if width == 0 && !strings.Contains(lines[1], strings.Repeat("host.", 20)) {
			t.Errorf("cut without need: %s", lines[1])
		}
	}
}
