// Command terminal runs a program and draws its output as a terminal in SVG:
//
//	go run ./hack/cmd/terminal -o demo.svg -title "make demo" -- make -s demo
//
// The picture is text: small, and sharp at every size.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

func main() {
	var (
		out   = flag.String("o", "", "write the picture to `FILE`")
		title = flag.String("title", "", "the command as the picture shows it; default: the command itself")
		stop  = flag.String("stop", "", "draw no line from the first one on that begins with `TEXT`")
	)
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: terminal -o FILE [-title TEXT] [-stop TEXT] -- COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	if *title == "" {
		*title = strings.Join(flag.Args(), " ")
	}
	if err := record(*out, *title, *stop, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "terminal:", err)
		os.Exit(1)
	}
}

// record runs the command, repeats its output, and writes the picture if the
// command succeeds.
func record(out, title, stop string, command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var lines []string
	stopped := false
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		line := scanner.Text()
		fmt.Println(line)
		stopped = stopped || stop != "" && strings.HasPrefix(line, stop)
		if !stopped {
			lines = append(lines, line)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read output: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("run %s: %w", command[0], err)
	}
	return os.WriteFile(out, draw(title, lines), 0o644)
}
