package io.elder.console;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.List;

/** Where a command prints: data on standard output, words about it on standard error. */
public record Terminal(PrintStream out, PrintStream err, boolean interactive) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int WIDEST = 60;

    /** This process's. */
    public static Terminal ofProcess() {
        return new Terminal(System.out, System.err, isWatched());
    }

    /** From JDK 22 on there is a console also where nobody watches, and only from then on it can be asked. */
    @SuppressWarnings("SystemConsoleNull")
    private static boolean isWatched() {
        try {
            return System.console() != null
                    && (boolean) java.io.Console.class.getMethod("isTerminal").invoke(System.console());
        } catch (NoSuchMethodException e) {
            return true;
        } catch (ReflectiveOperationException e) {
            return false;
        }
    }

    void json(JsonNode node) {
        out.println(node.toPrettyString());
    }

    void json(List<? extends JsonNode> nodes) {
        json(JSON.createArrayNode().addAll(nodes));
    }

    public void line(String text) {
        out.println(text);
    }

    public void say(String text) {
        err.println(text);
    }

    /** A line that the next one overwrites where a person watches; nothing otherwise. */
    void progress(String text) {
        if (interactive) {
            err.print("\r\033[K" + text);
            err.flush();
        }
    }

    void progressDone() {
        if (interactive) {
            err.println();
        }
    }

    /** The fields of rows as a table for people. */
    void table(List<ObjectNode> rows, String... fields) {
        rows(
                Arrays.asList(fields),
                rows.stream()
                        .map(row -> Arrays.stream(fields)
                                .map(field -> text(row.path(field)))
                                .toList())
                        .toList());
    }

    void rows(List<String> headers, List<List<String>> rows) {
        int[] widths = headers.stream().mapToInt(String::length).toArray();
        for (List<String> row : rows) {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], cell(row.get(i)).length());
            }
        }
        out.println(line(
                headers.stream()
                        .map(header -> header.toUpperCase(java.util.Locale.ROOT))
                        .toList(),
                widths));
        rows.forEach(row -> out.println(line(row, widths)));
    }

    private static String line(List<String> cells, int[] widths) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < widths.length; i++) {
            String cell = cell(cells.get(i));
            line.append(cell).append(" ".repeat(widths[i] - cell.length() + 2));
        }
        return line.toString().stripTrailing();
    }

    /** Data of others go to a terminal here: no control characters. */
    private static String cell(String text) {
        String plain = text.replaceAll("\\p{Cntrl}", " ");
        return plain.length() <= WIDEST ? plain : plain.substring(0, WIDEST - 1) + "…";
    }

    private static String text(JsonNode value) {
        return value.isNull() || value.isMissingNode() ? "-" : value.asText(value.toString());
    }
}
