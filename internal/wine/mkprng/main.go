// Command mkprng writes the file bcryptprimitives.dll for a Wine prefix. The Go runtime needs the file, and Wine before
// version 9 does not have it. The file has no code: it forwards ProcessPrng, the only function that Go uses, to
// SystemFunction036 of advapi32.dll, which also fills a buffer with random bytes.
package main

import (
	"bytes"
	"encoding/binary"
	"log"
	"os"
)

const (
	sectionAddress = 0x1000 // relative to the image base
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

// dll returns a PE file with a single section, which has the export table. Microsoft's "PE Format" defines the layout.
func dll() []byte {
	var b bytes.Buffer
	write := func(fields ...any) {
		for _, f := range fields {
			binary.Write(&b, binary.LittleEndian, f) // a bytes.Buffer returns no errors
		}
	}
	dos := make([]byte, 0x40)
	copy(dos, "MZ")
	dos[0x3C] = byte(len(dos)) // offset of the PE header
	write(dos, []byte("PE\x00\x00"))
	write( // COFF header
		uint16(0x8664), uint16(1), // amd64, one section
		uint32(0), uint32(0), uint32(0), // no time, no symbols
		uint16(240), uint16(0x2022), // size of the optional header; executable, large addresses, DLL
	)
	write( // optional header, PE32+
		uint16(0x20B), uint16(0), uint32(0), uint32(sectionSize), uint32(0), uint32(0), uint32(0),
		uint64(0x180000000), uint32(0x1000), uint32(0x200), // base, alignment in memory and file
		uint16(6), uint16(0), uint16(0), uint16(0), uint16(6), uint16(0), uint32(0), // versions
		uint32(0x2000), uint32(sectionOffset), uint32(0), // sizes of image and headers, no checksum
		uint16(2), uint16(0x160), // subsystem; can be relocated, data is not executable
		uint64(0x100000), uint64(0x1000), uint64(0x100000), uint64(0x1000), uint32(0), // stack and heap
		uint32(16), uint32(sectionAddress), uint32(0x100), [30]uint32{}, // directories: exports only
	)
	write([]byte(".edata\x00\x00"), uint32(sectionSize), uint32(sectionAddress), uint32(sectionSize),
		uint32(sectionOffset), [12]byte{}, uint32(0x40000040)) // data, readable
	b.Write(make([]byte, sectionOffset-b.Len()))
	b.Write(exports())
	return b.Bytes()
}

// exports returns the section with the export table.
func exports() []byte {
	section := make([]byte, sectionSize)
	put := func(offset int, v uint32) { binary.LittleEndian.PutUint32(section[offset:], v) }
	text := func(offset int, s string) uint32 {
		copy(section[offset:], s)
		return sectionAddress + uint32(offset)
	}
	put(0x0C, text(0x80, "bcryptprimitives.dll"))
	put(0x10, 1)                   // ordinal base
	put(0x14, 1)                   // number of functions
	put(0x18, 1)                   // number of names
	put(0x1C, sectionAddress+0x40) // address table
	put(0x20, sectionAddress+0x48) // name table
	put(0x24, sectionAddress+0x50) // ordinal table, which has a zero
	// An address in the section of the export table is the name of a function of another DLL.
	put(0x40, text(0xC0, "ADVAPI32.SystemFunction036"))
	put(0x48, text(0xA0, "ProcessPrng"))
	return section
}
