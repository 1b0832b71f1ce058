package io.elder.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.schemas.Topic;
import io.elder.schemas.Topics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.apache.avro.Schema;
import org.apache.avro.compiler.specific.SpecificCompiler;
import org.apache.avro.generic.GenericData;
import org.apache.avro.specific.SpecificData;
import org.apache.avro.specific.SpecificRecord;

/**
 * Our records in a version to come: each has one more field, which may be missing and is filled by whoever is of that version.
 * The classes go before ours on the classpath of a role, which thereby writes and expects the next version.
 */
final class NextSchemas {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String FIELD = "next";
    private static final String VALUE = "of the next version";

    private NextSchemas() {}

    /** Subjects in whose topics records of the next version were written. */
    static List<String> writtenTo(RegistryServer registry) {
        return registry.subjectsWith("\"" + FIELD + "\"");
    }

    /** The folder of the compiled classes, made below this one. */
    static Path compile(Path folder) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        if (compiler == null) {
            throw new IllegalStateException("Java: " + System.getProperty("java.home") + " (expected: a JDK)");
        }
        Path sources = Files.createDirectories(folder.resolve("next-sources"));
        Path classes = Files.createDirectories(folder.resolve("next-classes"));
        Set<Class<?>> types = new HashSet<>();
        for (Topic<?> topic : new Topics("").all()) {
            if (SpecificRecord.class.isAssignableFrom(topic.type()) && types.add(topic.type())) {
                SpecificCompiler generator =
                        new SpecificCompiler(next(SpecificData.get().getSchema(topic.type())));
                generator.setStringType(GenericData.StringType.String);
                generator.setFieldVisibility(SpecificCompiler.FieldVisibility.PRIVATE);
                generator.compileToDestination(null, sources.toFile());
            }
        }
        List<String> arguments = new ArrayList<>(List.of(
                "-nowarn", "-proc:none", "-d", classes.toString(), "-cp", System.getProperty("java.class.path")));
        try (Stream<Path> files = Files.walk(sources)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.writeString(file, withOldConstructor(Files.readString(file)));
                arguments.add(file.toString());
            }
        }
        int status = compiler.run(null, null, null, arguments.toArray(String[]::new));
        if (status != 0) {
            throw new IllegalStateException("the next version of the schemas: javac: " + status + " (expected: 0)");
        }
        return classes;
    }

    private static Schema next(Schema schema) throws IOException {
        JsonNode tree = JSON.readTree(schema.toString());
        extend(tree);
        return new Schema.Parser().parse(tree.toString());
    }

    private static void extend(JsonNode node) {
        node.forEach(NextSchemas::extend);
        if (node instanceof ObjectNode object
                && object.path("type").asText().equals("record")
                && object.path("fields") instanceof ArrayNode fields) {
            ObjectNode field = fields.addObject().put("name", FIELD).putNull("default");
            field.putArray("type").add("null").add("string");
        }
    }

    /** Whoever was compiled against this version of a class gets the next version's field filled in. */
    private static String withOldConstructor(String source) {
        Matcher constructor = Pattern.compile("  public (\\w+)\\((.+), java\\.lang\\.String " + FIELD + "\\) \\{")
                .matcher(source);
        if (!constructor.find()) {
            return source;
        }
        String names = Arrays.stream(constructor.group(2).split(", "))
                .map(argument -> argument.substring(argument.lastIndexOf(' ') + 1))
                .collect(Collectors.joining(", "));
        String old = "  public " + constructor.group(1) + "(" + constructor.group(2) + ") {\n    this(" + names + ", \""
                + VALUE + "\");\n  }\n\n";
        return source.substring(0, constructor.start()) + old + source.substring(constructor.start());
    }
}
