package dev.tiller.loader.gguf;

import dev.tiller.loader.TillerException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A model in several files, as llama.cpp's gguf-split names them: NAME-00001-of-00003.gguf and so on. The first has the
 * metadata, each has {@code split.no} (from 0) and {@code split.count}, and tensors are in any of them.
 */
public final class GgufParts {
    private static final Pattern NAME = Pattern.compile("(.*)-([0-9]{5})-of-([0-9]{5})\\.gguf");

    private GgufParts() {}

    /** The files of the model that begins with this one: itself alone if it is not named as one of several. */
    public static List<Path> files(Path first) {
        Matcher name = NAME.matcher(first.getFileName().toString());
        List<Path> files = new ArrayList<>();
        int count = name.matches() ? Integer.parseInt(name.group(3)) : 0;
        for (int i = 1; i <= count; i++) {
            files.add(first.resolveSibling(String.format("%s-%05d-of-%05d.gguf", name.group(1), i, count)));
        }
        return files.isEmpty() ? List.of(first) : files;
    }

    /** True for a part that is not the first. */
    public static boolean isLaterPart(Path file) {
        Matcher name = NAME.matcher(file.getFileName().toString());
        return name.matches() && !name.group(2).equals("00001");
    }

    /** Opens a model in one file, or in several by the first of them. A part that is missing or not its own is refused. */
    static Gguf open(Path path) {
        Gguf first = Gguf.open(path);
        List<Gguf> parts = new ArrayList<>(List.of(first));
        try {
            long count = first.metadata().integer("split.count").orElse(1);
            if (count <= 1) {
                return first;
            }
            List<Path> files = files(path);
            if (number(first, "split.no") != 0
                    || files.size() != count
                    || !files.getFirst().equals(path)) {
                throw new TillerException(path + ": key split.count: expected the first file of a model in " + count
                        + String.format(" files (NAME-00001-of-%05d.gguf)", count) + ", found split.no "
                        + number(first, "split.no"));
            }
            for (int i = 1; i < count; i++) {
                parts.add(part(files.get(i), i, count));
            }
            return Gguf.joined(parts);
        } catch (RuntimeException e) {
            parts.forEach(Gguf::close);
            throw e;
        }
    }

    private static Gguf part(Path file, int no, long count) {
        if (!Files.exists(file)) {
            throw new TillerException(
                    file + ": no such file, expected part " + (no + 1) + " of " + count + " of a model");
        }
        Gguf part = Gguf.open(file);
        if (number(part, "split.no") != no || number(part, "split.count") != count) {
            String found = number(part, "split.no") + " of " + number(part, "split.count");
            part.close();
            throw new TillerException(
                    file + ": key split.no: expected part " + no + " of " + count + " (from 0), found " + found);
        }
        return part;
    }

    private static long number(Gguf file, String key) {
        OptionalLong value = file.metadata().integer(key);
        return value.orElse(-1);
    }
}
