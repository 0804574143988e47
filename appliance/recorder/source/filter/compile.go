package filter

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// label is a place to jump to. All jumps go forward.
type label int

// compiler writes instructions. Jumps name labels until it is done.
type compiler struct {
	code   []bpf.Instruction
	jumps  [][]label // of each instruction: where it goes, if its condition holds and if not; nil: on
	places []int     // of each label
	far    bool      // a condition goes by way of two jumps, which have no bound
}

func (c *compiler) label() label {
	c.places = append(c.places, 0)
	return label(len(c.places) - 1)
}

func (c *compiler) place(l label) { c.places[l] = len(c.code) }

func (c *compiler) add(i bpf.Instruction, to ...label) {
	c.code, c.jumps = append(c.code, i), append(c.jumps, to)
}

// jump jumps.
func (c *compiler) jump(to label) { c.add(bpf.Jump{}, to) }

// test compares, and jumps.
func (c *compiler) test(op bpf.JumpTest, value uint32, yes, no label) {
	i := bpf.JumpIf{Cond: op, Val: value}
	if !c.far {
		c.add(i, yes, no)
		return
	}
	i.SkipFalse = 1
	c.add(i)
	c.jump(yes)
	c.jump(no)
}

// link puts offsets in the place of labels. It returns false if one is too far away.
func (c *compiler) link() bool {
	for i, to := range c.jumps {
		switch in := c.code[i].(type) {
		case bpf.Jump:
			c.code[i] = bpf.Jump{Skip: uint32(c.places[to[0]] - i - 1)}
		case bpf.JumpIf:
			if to == nil {
				continue
			}
			yes, no := c.places[to[0]]-i-1, c.places[to[1]]-i-1
			if max(yes, no) > 255 {
				return false
			}
			in.SkipTrue, in.SkipFalse = uint8(yes), uint8(no)
			c.code[i] = in
		}
	}
	return true
}

// maxInstructions is the kernel's bound (BPF_MAXINSNS).
const maxInstructions = 4096

// accepted is how many octets of a frame are taken: all.
const accepted = 1 << 18

// Compile compiles a filter for an Ethernet interface.
func Compile(text string) ([]bpf.Instruction, error) { return compile(text, true) }

// compile compiles a filter. Unless it is live, all tags are in the frame.
func compile(text string, live bool) ([]bpf.Instruction, error) {
	n, err := parse(text, live)
	if err != nil {
		return nil, err
	}
	for _, far := range []bool{false, true} {
		c := &compiler{far: far}
		yes, no := c.label(), c.label()
		n.code(c, yes, no)
		c.place(yes)
		c.add(bpf.RetConstant{Val: accepted})
		c.place(no)
		c.add(bpf.RetConstant{Val: 0})
		if len(c.code) > maxInstructions {
			return nil, fmt.Errorf("filter: it has %d instructions, and the kernel takes %d", len(c.code), maxInstructions)
		}
		if c.link() {
			return c.code, nil
		}
	}
	panic("filter: a jump without a bound is too far") // cannot be
}
