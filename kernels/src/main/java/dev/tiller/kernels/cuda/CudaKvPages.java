package dev.tiller.kernels.cuda;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.TillerException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * Pages of keys and values in slabs of device memory, taken when they are needed. Inside a page the numbers of a block and
 * head lie together, keys before values, each [PAGE, k]. Kernels find slabs through a table that never moves.
 */
final class CudaKvPages implements KvPages {
    /** The page that dummy rows use; it is never given out. */
    static final int SCRATCH = 0;

    private static final int WIDEST = 256;
    private static final int MOST_SLABS = 1 << 13;
    private static final int MOST_PAGES_PER_SLAB = 64;
    private static final long SLAB_BYTES = 64L << 20;

    private final CudaBackend owner;
    private final CudaDevice device;
    private final GpuMemory heap;
    private final int blocks;
    private final int kvHeads;
    private final int headDim;
    private final WeightFormat format;
    private final int pageElements;
    private final int slabShift;
    private final BitSet used = new BitSet();
    private final List<DeviceMemory> slabs = new ArrayList<>();
    private final DeviceMemory table;

    CudaKvPages(
            CudaBackend owner,
            CudaDevice device,
            GpuMemory heap,
            int blocks,
            int kvHeads,
            int headDim,
            WeightFormat format) {
        long elements = 2L * PAGE * blocks * kvHeads * headDim;
        if (blocks < 1 || kvHeads < 1 || headDim < 1 || elements > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException("expected blocks, heads and width of at least 1 and a page of at most "
                    + (Integer.MAX_VALUE - 8) + " elements, found " + blocks + ", " + kvHeads + ", " + headDim);
        }
        if (format == null || !WeightFormat.PLAIN.contains(format)) {
            throw new IllegalArgumentException("expected keys and values in F32, BF16 or F16, found " + format);
        }
        if (headDim > WIDEST) {
            throw new TillerException(
                    "expected heads of at most " + WIDEST + " elements for the cuda backend, found " + headDim);
        }
        format.plain();
        this.owner = owner;
        this.device = device;
        this.heap = heap;
        this.blocks = blocks;
        this.kvHeads = kvHeads;
        this.headDim = headDim;
        this.format = format;
        this.pageElements = (int) elements;
        long fitting = Math.clamp(SLAB_BYTES / pageBytes(), 1, MOST_PAGES_PER_SLAB);
        this.slabShift = 63 - Long.numberOfLeadingZeros(fitting);
        this.table = heap.take(this, (long) MOST_SLABS * Long.BYTES, "keys and values");
        used.set(SCRATCH);
    }

    @Override
    public int allocate() {
        return device.thread().call(() -> {
            int page = used.nextClearBit(0);
            while (slabs.size() <= page >> slabShift) {
                addSlab();
            }
            used.set(page);
            return page;
        });
    }

    private void addSlab() {
        int slab = slabs.size();
        if (slab == MOST_SLABS) {
            throw new TillerException("no room for another page of keys and values: " + inUse() + " pages of "
                    + pageBytes() + " bytes are in use, the most that are supported");
        }
        long bytes = pageBytes() << slabShift;
        DeviceMemory memory = heap.take(
                this,
                bytes,
                "another " + (1 << slabShift) + " pages of keys and values, " + PAGE + " positions each (" + inUse()
                        + " pages are in use)");
        slabs.add(memory);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocateFrom(ValueLayout.JAVA_LONG, memory.address());
            device.copyToDevice(table.address() + (long) slab * Long.BYTES, address.address(), Long.BYTES);
            device.synchronize();
        }
    }

    @Override
    public void release(int page) {
        if (!isAllocated(page)) {
            throw new IllegalArgumentException("expected a page that is in use, found " + page);
        }
        used.clear(page);
    }

    @Override
    public int inUse() {
        return used.cardinality() - 1;
    }

    @Override
    public long pageBytes() {
        return (long) pageElements * format.bytes();
    }

    @Override
    public Backend owner() {
        return owner;
    }

    @Override
    public int blocks() {
        return blocks;
    }

    @Override
    public int kvHeads() {
        return kvHeads;
    }

    @Override
    public int headDim() {
        return headDim;
    }

    @Override
    public boolean isAllocated(int page) {
        return page > SCRATCH && used.get(page);
    }

    @Override
    public WeightFormat format() {
        return format;
    }

    /** Elements of one page. */
    int pageElements() {
        return pageElements;
    }

    /** A slab has two to the power of this many pages. */
    int slabShift() {
        return slabShift;
    }

    /** Address of the table of slabs. */
    long slabTable() {
        return table.address();
    }
}
