package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory returns what a contender and its children have resident, without files,
// in octets.
func memory(c *contender) (float64, error) {
	total := 0
	for _, p := range append(descendants(c.pid), c.pid) {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p), "statm"))
		if err != nil {
			return 0, fmt.Errorf("read memory of process %d: %w", p, err)
		}
		words := strings.Fields(string(text))
		if len(words) < 3 {
			return 0, fmt.Errorf("read memory of process %d: %q", p, text)
		}
		resident, err := strconv.Atoi(words[1])
		if err != nil {
			return 0, err
		}
		shared, err := strconv.Atoi(words[2])
		if err != nil {
			return 0, err
		}
		total += (resident - shared) * os.Getpagesize()
	}
	return float64(total), nil
}

// cpuSeconds is the CPU time that a contender has used.
func cpuSeconds(c *contender) (float64, error) {
	d, err := cpuTime(c.pid)
	return d.Seconds(), err
}
