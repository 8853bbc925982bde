package dev.tiller.loader.torch;

import dev.tiller.loader.DType;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The names that a pickle of tensors may use, and what they do here: two ways to make a tensor, the ordered dict, the
 * types of storages and of elements. A name that is not in this list is refused, so no code can be reached through it.
 */
final class TorchGlobals {
    private static final String TENSOR = "torch._utils._rebuild_tensor_v2";
    private static final String PARAMETER = "torch._utils._rebuild_parameter";
    private static final String ORDERED_DICT = "collections.OrderedDict";

    private static final Map<String, DType> STORAGES = Map.of(
            "torch.FloatStorage", DType.F32,
            "torch.DoubleStorage", DType.F64,
            "torch.HalfStorage", DType.F16,
            "torch.BFloat16Storage", DType.BF16,
            "torch.LongStorage", DType.I64,
            "torch.IntStorage", DType.I32,
            "torch.ShortStorage", DType.I16,
            "torch.CharStorage", DType.I8,
            "torch.ByteStorage", DType.U8,
            "torch.BoolStorage", DType.BOOL);

    /** Types of elements, which metadata may mention; they become texts. */
    private static final Set<String> TYPES = Set.of(
            "torch.float32",
            "torch.float64",
            "torch.float16",
            "torch.bfloat16",
            "torch.int64",
            "torch.int32",
            "torch.int16",
            "torch.int8",
            "torch.uint8",
            "torch.bool");

    /** A function or class by its Python name. */
    private record Named(String name) {
        @Override
        public String toString() {
            return name;
        }
    }

    /** The bytes of a storage. */
    private record Storage(DType dtype, MemorySegment data, long numel) {
        @Override
        public String toString() {
            return "a storage";
        }
    }

    private final StoredZip zip;
    private final String folder;
    private final String source;

    /** Entries that were read: the check sum is made once, however many tensors share a storage. */
    private final Map<String, MemorySegment> read = new HashMap<>();

    /** @param folder of the entries within the archive, with a slash at its end */
    TorchGlobals(StoredZip zip, String folder, String source) {
        this.zip = zip;
        this.folder = folder;
        this.source = source;
    }

    /** What GLOBAL puts on the stack. */
    Object named(String module, String name) {
        String full = module + "." + name;
        if (TYPES.contains(full)) {
            return full;
        }
        if (STORAGES.containsKey(full)
                || Set.of(TENSOR, PARAMETER, ORDERED_DICT).contains(full)) {
            return new Named(full);
        }
        throw new TillerException(source + ": pickle: the name " + Messages.quote(full)
                + " is refused; only tensors, dicts, lists, numbers and texts are read");
    }

    /** What REDUCE puts on the stack. */
    Object call(Object function, List<Object> arguments) {
        if (!(function instanceof Named named)) {
            throw error("expected a function to call, found " + Unpickler.kind(function));
        }
        return switch (named.name) {
            case TENSOR -> tensor(arguments);
            case PARAMETER -> parameter(arguments);
            case ORDERED_DICT -> {
                if (!arguments.isEmpty()) {
                    throw error("OrderedDict: expected no argument, found " + arguments.size());
                }
                yield new LinkedHashMap<>();
            }
            default -> throw error("calling " + named.name + " is refused");
        };
    }

    /** What BINPERSID puts on the stack. */
    Object storage(Object id) {
        if (!(id instanceof List<?> parts)
                || parts.size() != 5
                || !"storage".equals(parts.get(0))
                || !(parts.get(1) instanceof Named type)
                || !STORAGES.containsKey(type.name)
                || !(parts.get(2) instanceof String key)
                || !(parts.get(4) instanceof Long numel)) {
            throw error("expected a storage: its kind, type, key, place and size");
        }
        if (!key.matches("\\d{1,9}")) {
            throw error("expected a number as the key of a storage, found " + Messages.quote(key));
        }
        DType dtype = STORAGES.get(type.name);
        MemorySegment data = read.computeIfAbsent(key, k -> zip.find(folder + "data/" + k));
        if (data == null) {
            throw error("there is no entry " + Messages.quote(folder + "data/" + key) + " with the numbers");
        }
        long bytes = dtype.bits() / Byte.SIZE;
        if (numel < 0 || numel > Long.MAX_VALUE / bytes || numel * bytes != data.byteSize()) {
            throw error("storage " + key + ": expected " + numel + " elements of " + dtype + ", found "
                    + data.byteSize() + " bytes");
        }
        return new Storage(dtype, data, numel);
    }

    private TorchTensor tensor(List<Object> a) {
        if (a.size() < 6
                || a.size() > 7
                || !(a.get(0) instanceof Storage storage)
                || !(a.get(1) instanceof Long offset)
                || !(a.get(2) instanceof List<?> size)
                || !(a.get(3) instanceof List<?> stride)
                || !(a.get(4) instanceof Boolean)) {
            throw error("_rebuild_tensor_v2: expected a storage, an offset, sizes, strides and two more arguments");
        }
        checkNoHooks(a.get(5));
        return new TorchTensor(storage.dtype, longs(size), longs(stride), offset, storage.data, storage.numel, source);
    }

    private TorchTensor parameter(List<Object> a) {
        if (a.size() != 3 || !(a.get(0) instanceof TorchTensor tensor)) {
            throw error("_rebuild_parameter: expected a tensor and two more arguments");
        }
        checkNoHooks(a.get(2));
        return tensor;
    }

    private void checkNoHooks(Object hooks) {
        if (hooks != null && !(hooks instanceof Map<?, ?> map && map.isEmpty())) {
            throw error("hooks of a tensor are code and are refused");
        }
    }

    private long[] longs(List<?> list) {
        long[] out = new long[list.size()];
        for (int i = 0; i < out.length; i++) {
            if (!(list.get(i) instanceof Long value)) {
                throw error("expected whole numbers as sizes and strides, found " + Unpickler.kind(list.get(i)));
            }
            out[i] = value;
        }
        return out;
    }

    private TillerException error(String message) {
        return new TillerException(source + ": pickle: " + message);
    }
}
