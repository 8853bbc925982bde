package dev.tiller.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What a reader of a Markdown file may type or follow. */
final class Documents {
    private static final Set<String> NOT_OURS = Set.of("target", ".git", ".gpu");
    private static final Pattern LINK = Pattern.compile("\\[[^\\]]*\\]\\(([^)\\s]+)\\)");
    private static final Pattern SPAN = Pattern.compile("`([^`]+)`");

    /** A line, a link or a piece of code, and the number of its line. */
    record Piece(int line, String text) {}

    private final List<String> lines;

    Documents(String text) {
        lines = text.lines().toList();
    }

    /** Every Markdown file of the project. */
    static List<Path> all(Path root) throws IOException {
        List<Path> found = new ArrayList<>();
        List<Path> folders = new ArrayList<>(List.of(root));
        while (!folders.isEmpty()) {
            try (Stream<Path> files = Files.list(folders.removeLast())) {
                for (Path file : files.toList()) {
                    String name = file.getFileName().toString();
                    if (Files.isDirectory(file) && !Files.isSymbolicLink(file) && !NOT_OURS.contains(name)) {
                        folders.add(file);
                    } else if (name.endsWith(".md")) {
                        found.add(file);
                    }
                }
            }
        }
        return found.stream().sorted().toList();
    }

    /** Command lines of code blocks, without "./", prompt and remarks; lines that end in a backslash go on. */
    List<Piece> commands() {
        List<Piece> commands = new ArrayList<>();
        boolean fenced = false;
        for (int i = 0; i < lines.size(); i++) {
            fenced ^= lines.get(i).startsWith("```");
            if (!fenced && !lines.get(i).startsWith("    ")) {
                continue;
            }
            int first = i;
            StringBuilder whole = new StringBuilder(lines.get(i).strip());
            while (whole.toString().endsWith("\\") && i + 1 < lines.size()) {
                whole.setLength(whole.length() - 1);
                whole.append(lines.get(++i).strip());
            }
            String text = whole.toString().replaceFirst("^\\$ ", "").replaceFirst("^\\./", "");
            if (text.startsWith("tiller ")) {
                commands.add(new Piece(first + 1, text));
            }
        }
        return commands;
    }

    /** Code blocks of a language. */
    List<String> blocks(String language) {
        List<String> blocks = new ArrayList<>();
        StringBuilder block = null;
        for (String line : lines) {
            if (block == null) {
                block = line.equals("```" + language) ? new StringBuilder() : null;
            } else if (line.startsWith("```")) {
                blocks.add(block.toString());
                block = null;
            } else {
                block.append(line).append('\n');
            }
        }
        return blocks;
    }

    /** Code within sentences; one may go over the end of a line. */
    List<Piece> spans() {
        List<Piece> spans = new ArrayList<>();
        StringBuilder prose = new StringBuilder();
        prose(prose);
        Matcher m = SPAN.matcher(prose);
        while (m.find()) {
            int line = 1
                    + (int) prose.chars()
                            .limit(m.start())
                            .filter(c -> c == '\n')
                            .count();
            spans.add(new Piece(line, m.group(1).replaceAll("\\s+", " ").strip()));
        }
        return spans;
    }

    /** Where links lead to. */
    List<Piece> links() {
        List<Piece> links = new ArrayList<>();
        StringBuilder prose = new StringBuilder();
        prose(prose);
        String[] parts = prose.toString().split("\n", -1);
        for (int i = 0; i < parts.length; i++) {
            Matcher m = LINK.matcher(parts[i].replaceAll("`[^`]*`", "code"));
            while (m.find()) {
                links.add(new Piece(i + 1, m.group(1)));
            }
        }
        return links;
    }

    /** Anchors of the headings, as GitHub makes them. */
    Set<String> anchors() {
        Set<String> anchors = new TreeSet<>();
        StringBuilder prose = new StringBuilder();
        prose(prose);
        prose.toString()
                .lines()
                .filter(l -> l.matches("#{1,6} .*"))
                .map(l -> l.replaceFirst("#+ ", "").toLowerCase(Locale.ROOT).replaceAll("[^\\p{L}\\p{N} _-]", ""))
                .forEach(l -> anchors.add(l.strip().replace(' ', '-')));
        return anchors;
    }

    /** The text with empty lines in place of code blocks, so that lines keep their numbers. */
    private void prose(StringBuilder out) {
        boolean fenced = false;
        for (String line : lines) {
            boolean fence = line.startsWith("```");
            fenced ^= fence;
            out.append(fenced || fence || line.startsWith("    ") ? "" : line).append('\n');
        }
    }
}
