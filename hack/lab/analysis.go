package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// problemFilter matches what a recorder-ready feed never holds.
const problemFilter = "tcp.analysis.flags || _ws.malformed || tcp.checksum.status==0 || ip.checksum.status==0"

// tshark runs tshark on a file, checksums verified, names not resolved, and
// returns its standard output.
func tshark(ctx context.Context, file string, args ...string) (string, error) {
	base := []string{"-n", "-r", file, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"}
	return tool(ctx, "tshark", append(base, args...)...)
}

// tool runs a program of analysis outside all namespaces.
func tool(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = environment("/nonexistent"), &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("run %s: %w: %s", name, err, tail(errs.String(), 1000))
	}
	return out.String(), nil
}

// Fields returns the named fields of the frames of a capture file that match a
// display filter, one row a frame. A field that occurs several times in a frame
// has its values joined by commas, one that is absent is empty.
func Fields(ctx context.Context, file, filter string, fields ...string) ([][]string, error) {
	args := []string{"-Y", filter, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=,"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := tshark(ctx, file, args...)
	if err != nil {
		return nil, err
	}
	return rows(out), nil
}

// rows splits tab-separated lines.
func rows(out string) (list [][]string) {
	for line := range strings.Lines(out) {
		list = append(list, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return list
}

// reassembled is the size of a capture file up to which tshark joins segments,
// in octets. Its time for that grows with the square of a message's length: 30 s
// for 100 MB.
const reassembled = 64 << 20

// Problems returns one line for each frame of a capture file that is malformed,
// has a bad checksum or makes tshark's TCP analysis object. In a file over 64 MiB
// what TCP carries is not dissected: with segments unjoined, one that happens to
// begin with CR LF would be taken for a bad message.
func Problems(ctx context.Context, file string) ([]string, error) {
	args := []string{"-Y", problemFilter}
	if info, err := os.Stat(file); err == nil && info.Size() > reassembled {
		args = append(args, "-d", "tcp.port==1-65535,data")
	}
	out, err := tshark(ctx, file, args...)
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(out) {
		list = append(list, strings.TrimSpace(line))
	}
	return list, nil
}

// ExportObjects has tshark write the objects of a protocol ("http", "imf") into
// dir, and returns the paths in the order of their names.
func ExportObjects(ctx context.Context, file, protocol, dir string, options ...string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := tshark(ctx, file, append(options, "-q", "--export-objects", protocol+","+dir)...); err != nil {
		return nil, err
	}
	return filesIn(dir)
}

// Streams has tcpflow rebuild the TCP streams of a capture file into dir, one
// file a direction, and returns their paths. A name is
// CLIENTIP.PORT-ORIGINIP.PORT with every number padded by zeros.
func Streams(ctx context.Context, file, dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	// Without post-processing, and without the report.
	if _, err := tool(ctx, "tcpflow", "-r", file, "-o", dir, "-X", "/dev/null", "-q"); err != nil {
		return nil, err
	}
	return filesIn(dir)
}

func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// Conversation is a TCP connection in a capture file, as tshark counts it.
type Conversation struct {
	Client, Origin                 string // address:port; the client sent the SYN, or the first frame
	ClientToOrigin, OriginToClient int64  // octets of payload
	Closed                         bool   // a FIN or RST was seen
}

// Conversations sums up the TCP connections of a capture file. Octets sent twice
// count twice; [Problems] tells of these.
func Conversations(ctx context.Context, file string) ([]Conversation, error) {
	frames, err := Fields(ctx, file, "tcp", "tcp.stream", "ip.src", "ipv6.src", "tcp.srcport",
		"ip.dst", "ipv6.dst", "tcp.dstport", "tcp.len", "tcp.flags.fin", "tcp.flags.reset")
	if err != nil {
		return nil, err
	}
	var list []Conversation
	for _, f := range frames {
		if len(f) != 10 {
			return nil, fmt.Errorf("read conversations: %d fields in %q", len(f), f)
		}
		stream, err := strconv.Atoi(f[0])
		if err != nil || stream > len(list) {
			return nil, fmt.Errorf("read conversations: stream number %q", f[0])
		}
		octets, err := strconv.ParseInt(f[7], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read conversations: length %q", f[7])
		}
		src := bracket(f[1]+f[2]) + ":" + f[3]
		dst := bracket(f[4]+f[5]) + ":" + f[6]
		if stream == len(list) {
			list = append(list, Conversation{Client: src, Origin: dst})
		}
		c := &list[stream]
		if src == c.Client {
			c.ClientToOrigin += octets
		} else {
			c.OriginToClient += octets
		}
		c.Closed = c.Closed || set(f[8]) || set(f[9])
	}
	return list, nil
}

// set reads a flag as tshark prints it: 1 or, since 4.2, True.
func set(flag string) bool { return flag == "1" || flag == "True" }
