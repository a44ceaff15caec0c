#include "textflag.h"

// The functions of the vtable. A client calls them with the C calling convention
// of Windows x64, on its own thread and stack. thunk_windows.go explains why no Go
// code may run there. The code adds a request on that stack to the list of pending
// requests and waits until it is done.

#define SLOT(n) MOVL $n, AX; JMP ·enter(SB)

TEXT ·slot0(SB), NOSPLIT|NOFRAME, $0
	SLOT(0)
TEXT ·slot1(SB), NOSPLIT|NOFRAME, $0
	SLOT(1)
TEXT ·slot2(SB), NOSPLIT|NOFRAME, $0
	SLOT(2)
TEXT ·slot3(SB), NOSPLIT|NOFRAME, $0
	SLOT(3)
TEXT ·slot4(SB), NOSPLIT|NOFRAME, $0
	SLOT(4)
TEXT ·slot5(SB), NOSPLIT|NOFRAME, $0
	SLOT(5)
TEXT ·slot6(SB), NOSPLIT|NOFRAME, $0
	SLOT(6)

DATA ·vtable+0(SB)/8, $·slot0(SB)
DATA ·vtable+8(SB)/8, $·slot1(SB)
DATA ·vtable+16(SB)/8, $·slot2(SB)
DATA ·vtable+24(SB)/8, $·slot3(SB)
DATA ·vtable+32(SB)/8, $·slot4(SB)
DATA ·vtable+40(SB)/8, $·slot5(SB)
DATA ·vtable+48(SB)/8, $·slot6(SB)
GLOBL ·vtable(SB), NOPTR, $56

// enter has the slot in AX. Its frame has 32 bytes for the arguments of callees
// and the request {next, slot, args, result, done} of thunk_windows.go at offsets
// 32 to 64. With 88 bytes the stack is aligned to 16 for calls.
TEXT ·enter(SB), NOSPLIT|NOFRAME, $0
	// The caller has reserved space for the four arguments in registers, so all
	// arguments become one array.
	MOVQ	CX, 8(SP)
	MOVQ	DX, 16(SP)
	MOVQ	R8, 24(SP)
	MOVQ	R9, 32(SP)
	LEAQ	8(SP), R10
	SUBQ	$88, SP
	MOVQ	AX, 40(SP)
	MOVQ	R10, 48(SP)
	MOVQ	$0, 64(SP)
	LEAQ	32(SP), R11
again:
	MOVQ	·pending(SB), AX
	MOVQ	AX, 32(SP)
	LOCK
	CMPXCHGQ	R11, ·pending(SB)
	JNE	again
	LEAQ	·pending(SB), CX
	MOVQ	·wakeByAddress(SB), AX
	CALL	AX
sleep:
	CMPL	64(SP), $0
	JNE	done
	LEAQ	64(SP), CX
	LEAQ	·zero(SB), DX
	MOVL	$4, R8
	MOVL	$-1, R9
	MOVQ	·waitOnAddress(SB), AX
	CALL	AX
	JMP	sleep
done:
	MOVQ	56(SP), AX
	ADDQ	$88, SP
	RET
