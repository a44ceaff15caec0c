// Command mkprng writes the file bcryptprimitives.dll, which Go's runtime needs
// and Wine before 9 lacks, for a Wine prefix. The file has no code: it forwards
// ProcessPrng, the one function that Go uses of it, to SystemFunction036 of
// advapi32.dll, which fills a buffer with random bytes just so.
package main

import (
	"bytes"
	"encoding/binary"
	"log"
	"os"
)

const (
	sectionAddress = 0x1000 // in memory
	sectionOffset  = 0x200  // in the file
	sectionSize    = 0x200
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: mkprng FILE")
	}
	if err := os.WriteFile(os.Args[1], dll(), 0o644); err != nil {
		log.Fatal(err)
	}
}

// dll is a PE file of one section, which holds the table of exports. The layout
// is that of Microsoft's "PE Format".
func dll() []byte {
	var b bytes.Buffer
	write := func(fields ...any) {
		for _, f := range fields {
			binary.Write(&b, binary.LittleEndian, f) // a Buffer takes everything
		}
	}
	dos := make([]byte, 0x40)
	copy(dos, "MZ")
	dos[0x3C] = byte(len(dos)) // where the PE header is
	write(dos, []byte("PE\x00\x00"))
	write( // COFF header
		uint16(0x8664), uint16(1), // amd64, one section
		uint32(0), uint32(0), uint32(0), // no time, no symbols
		uint16(240), uint16(0x2022), // optional header's size; executable, large addresses, DLL
	)
	write( // optional header, PE32+
		uint16(0x20B), uint16(0), uint32(0), uint32(sectionSize), uint32(0), uint32(0), uint32(0),
		uint64(0x180000000), uint32(0x1000), uint32(0x200), // base, alignment in memory and file
		uint16(6), uint16(0), uint16(0), uint16(0), uint16(6), uint16(0), uint32(0), // versions
		uint32(0x2000), uint32(sectionOffset), uint32(0), // sizes of image and headers, no checksum
		uint16(2), uint16(0x160), // subsystem; may be relocated, no executable data
		uint64(0x100000), uint64(0x1000), uint64(0x100000), uint64(0x1000), uint32(0), // stack and heap
		uint32(16), uint32(sectionAddress), uint32(0x100), [30]uint32{}, // directories: exports only
	)
	write([]byte(".edata\x00\x00"), uint32(sectionSize), uint32(sectionAddress), uint32(sectionSize),
		uint32(sectionOffset), [12]byte{}, uint32(0x40000040)) // data, readable
	b.Write(make([]byte, sectionOffset-b.Len()))
	b.Write(exports())
	return b.Bytes()
}

// exports is the section with the table of exports.
func exports() []byte {
	section := make([]byte, sectionSize)
	put := func(offset int, v uint32) { binary.LittleEndian.PutUint32(section[offset:], v) }
	text := func(offset int, s string) uint32 {
		copy(section[offset:], s)
		return sectionAddress + uint32(offset)
	}
	put(0x0C, text(0x80, "bcryptprimitives.dll"))
	put(0x10, 1)                   // first ordinal
	put(0x14, 1)                   // functions
	put(0x18, 1)                   // names
	put(0x1C, sectionAddress+0x40) // table of addresses
	put(0x20, sectionAddress+0x48) // table of names
	put(0x24, sectionAddress+0x50) // table of ordinals, which is zero
	// An address inside the table of exports is a forward to another DLL.
	put(0x40, text(0xC0, "ADVAPI32.SystemFunction036"))
	put(0x48, text(0xA0, "ProcessPrng"))
	return section
}
