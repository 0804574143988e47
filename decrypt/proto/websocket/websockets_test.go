package websocket

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/hack/needs"
)

// judge reads lines of a direction and octets, and tells of each the content of messages
// and controls, and whether the frames are sound. It is Python's websockets.
const judge = `
import json, sys
from websockets.connection import Connection, Side, State
for line in sys.stdin:
    side, octets = line.split(" ")
    c = Connection(Side.SERVER if side == "client_to_origin" else Side.CLIENT, State.OPEN, max_size=None)
    c.receive_data(bytes.fromhex(octets))
    messages, controls, part = [], [], b""
    for f in c.events_received():
        if f.opcode >= 8:
            controls.append(f.data.hex())
            continue
        part += f.data
        if f.fin:
            messages.append(part.hex())
            part = b""
    print(json.dumps({"Messages": messages, "Controls": controls, "Sound": c.parser_exc is None}))
`

type judgement struct {
	Messages, Controls []string
	Sound              bool
}

// TestWebsockets compares with Python's websockets: frames that it reads are read alike,
// and frames that it refuses are refused.
func TestWebsockets(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import websockets.connection").Run(); err != nil {
		needs.Missing(t, err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var lines strings.Builder
	var inputs [][]byte
	var directions []proto.Direction
	for range 4000 {
		dir := proto.Direction(random.IntN(2))
		p := frames(random, dir)
		inputs, directions = append(inputs, p), append(directions, dir)
		fmt.Fprintf(&lines, "%v %x\n", dir, p)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", judge)
	cmd.Stdin = strings.NewReader(lines.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	sound := 0
	for i, p := range inputs {
		var want judgement
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		messages, controls, fault := read(p, directions[i], 0)
		got := judgement{encode(messages), encode(controls), fault == Sound}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v %x: %v %v, want %v", directions[i], p, got, fault, want)
		}
		if want.Sound {
			sound++
		}
	}
	if sound < 1000 || sound > 3000 {
		t.Errorf("%d of %d are sound: the test shows little", sound, len(inputs))
	}
}

func encode(list []string) (all []string) {
	for _, s := range list {
		all = append(all, hex.EncodeToString([]byte(s)))
	}
	return all
}

// frames returns frames, of which some are wrong. The last one may be a Close frame.
func frames(random *rand.Rand, dir proto.Direction) (p []byte) {
	within, wrong := false, random.IntN(2) == 0
	for range 1 + random.IntN(6) {
		mask := &key
		if dir == proto.OriginToClient {
			mask = nil
		}
		payload := []byte("some content, and again some content")[:random.IntN(36)]
		op, first := Opcode(1+random.IntN(2)), byte(0x80)
		switch {
		case random.IntN(4) == 0:
			op = Ping + Opcode(random.IntN(2))
		case within:
			op = Continuation
		}
		if !op.IsControl() && random.IntN(2) == 0 {
			first = 0
		}
		if !op.IsControl() {
			within = first == 0
		}
		if random.IntN(12) == 0 {
			payload = make([]byte, 100+random.IntN(1000))
		}
		frame := AppendFrame(nil, op, mask, payload)
		frame[0] = first | byte(op)
		switch n := random.IntN(12); {
		case wrong && n < 2:
			frame[0] ^= 1 << random.IntN(8)
		case wrong && n == 2:
			frame[1] ^= 0x80
		}
		p = append(p, frame...)
	}
	if !wrong && !within { // within a message, Python's websockets refuses it
		code := uint16(990 + random.IntN(30))
		var mask *[4]byte
		if dir == proto.ClientToOrigin {
			mask = &key
		}
		return AppendClose(p, code, "bye", mask)
	}
	return p
}
