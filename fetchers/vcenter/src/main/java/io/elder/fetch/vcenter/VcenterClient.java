package io.elder.fetch.vcenter;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.StopReason;
import io.elder.fetch.http.JsonApi;
import io.elder.fetch.http.Tls;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import javax.xml.stream.XMLStreamException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A session at a vCenter: the seven calls that reading an inventory takes, over SOAP.
 *
 * @see <a href="https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vmodl.query.PropertyCollector.html">PropertyCollector</a>
 */
public final class VcenterClient implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VcenterClient.class);

    /** The oldest version of the API that has all that is asked for; newer servers speak it too. */
    private static final String VERSION = "urn:vim25/6.5";

    private static final String SESSION_COOKIE = "vmware_soap_session=";
    private static final int MOST_BYTES = 128 << 20;

    private final VcenterSettings settings;
    private final URI url;
    private final HttpClient http;
    private volatile String cookie;
    private Xml content = Xml.NOTHING;
    private Xml session = Xml.NOTHING;

    /** The properties of a type of object to ask for. */
    record Properties(String type, List<String> paths) {
        static Properties of(String type, String... paths) {
            return new Properties(type, List.of(paths));
        }
    }

    /**
     * An object of a page.
     *
     * @param withheld why some of its properties were not told
     */
    record Found(ObjectNode object, Optional<VcenterFailure> withheld) {}

    private VcenterClient(VcenterSettings settings) {
        this.settings = settings;
        this.url = settings.endpoint().resolve("/sdk");
        HttpClient.Builder builder = JsonApi.client(url).version(HttpClient.Version.HTTP_1_1);
        if (!settings.verifiesCertificate()) {
            builder.sslContext(Tls.context(Tls.anybody(), null));
        } else if (settings.authorities().isPresent()) {
            builder.sslContext(Tls.context(
                    Tls.authorities("VCENTER_CA_FILE", settings.authorities().get()), null));
        }
        this.http = builder.build();
    }

    /** Logs in. */
    static VcenterClient open(VcenterSettings settings) throws IOException, InterruptedException {
        VcenterClient client = new VcenterClient(settings);
        boolean isOpen = false;
        try {
            client.content = client.serviceContent();
            client.session = client.call(
                            "Login",
                            client.reference("sessionManager")
                                    + element("userName", settings.username())
                                    + element("password", settings.password().value()))
                    .maybe("returnval")
                    .orElse(Xml.NOTHING);
            isOpen = true;
            return client;
        } finally {
            if (!isOpen) {
                client.http.close();
            }
        }
    }

    /** What the server says of itself and where its services are. */
    Xml serviceContent() throws IOException, InterruptedException {
        return call("RetrieveServiceContent", "<_this type=\"ServiceInstance\">ServiceInstance</_this>")
                .maybe("returnval")
                .orElseThrow(() -> VcenterFailure.stop(
                        StopReason.BAD_RESPONSE, "RetrieveServiceContent: nothing (expected: a ServiceContent)"));
    }

    /** Of the server, from when it was opened: product, version, who it is among all vCenters. */
    Xml about() {
        return content.maybe("about").orElse(Xml.NOTHING);
    }

    VcenterSettings settings() {
        return settings;
    }

    /** As the server calls us. */
    String username() {
        return session.text("userName").isEmpty() ? settings.username() : session.text("userName");
    }

    /** A view of all objects of these types; returns its reference. */
    String createView(List<String> types) throws IOException, InterruptedException {
        StringBuilder body = new StringBuilder(reference("viewManager"));
        body.append(element("container", "Folder", service("rootFolder")));
        types.forEach(type -> body.append(element("type", type)));
        body.append("<recursive>true</recursive>");
        return call("CreateContainerView", body.toString()).text("returnval");
    }

    /** A page of the objects of a view. */
    Page<Found> page(String view, List<Properties> wanted, String token) throws IOException, InterruptedException {
        Xml answer = token == null
                ? call("RetrievePropertiesEx", retrieve(view, wanted))
                : call("ContinueRetrievePropertiesEx", reference("propertyCollector") + element("token", token));
        Optional<Xml> said = answer.maybe("returnval");
        if (said.isEmpty() && token != null) {
            throw VcenterFailure.stop(
                    StopReason.INCOMPLETE,
                    "ContinueRetrievePropertiesEx: nothing (expected: the page that was announced)");
        }
        // Nothing at all is said of an empty view.
        Xml result = said.orElse(Xml.NOTHING);
        List<Found> found = new ArrayList<>();
        result.all("objects")
                .filter(each -> !isGone(each))
                .map(VcenterClient::found)
                .forEach(found::add);
        return new Page<>(found, result.text("token"));
    }

    void destroyView(String view) throws IOException, InterruptedException {
        call("DestroyView", element("_this", "ContainerView", view));
    }

    private String retrieve(String view, List<Properties> wanted) {
        StringBuilder body = new StringBuilder(reference("propertyCollector")).append("<specSet>");
        for (Properties each : wanted) {
            body.append("<propSet>").append(element("type", each.type()));
            each.paths().forEach(path -> body.append(element("pathSet", path)));
            body.append("</propSet>");
        }
        return body.append("<objectSet>")
                .append(element("obj", "ContainerView", view))
                .append("<skip>true</skip><selectSet xsi:type=\"TraversalSpec\"><name>view</name>")
                .append("<type>ContainerView</type><path>view</path><skip>false</skip></selectSet>")
                .append("</objectSet></specSet><options>")
                .append(element("maxObjects", Integer.toString(settings.pageSize())))
                .append("</options>")
                .toString();
    }

    /** An object that was in the view and was deleted before its properties were read. */
    private static boolean isGone(Xml content) {
        return content.maybe("propSet").isEmpty()
                && content.maybe("missingSet").isPresent()
                && content.all("missingSet")
                        .allMatch(missing -> fault(missing).type().equals("ManagedObjectNotFound"));
    }

    private static Xml fault(Xml missing) {
        return missing.maybe("fault").flatMap(fault -> fault.maybe("fault")).orElse(Xml.NOTHING);
    }

    /** {@code a.b.c} becomes an object in an object, so that a record looks like the object that it is of. */
    private static Found found(Xml content) {
        Xml reference = content.maybe("obj").orElse(Xml.NOTHING);
        ObjectNode object = JsonNodeFactory.instance.objectNode();
        object.put("type", reference.attribute("type")).put("moref", reference.text());
        content.all("propSet").forEach(property -> {
            String[] path = property.text("name").split("\\.");
            ObjectNode within = object;
            for (int i = 0; i < path.length - 1; i++) {
                within = within.withObject("/" + path[i]);
            }
            within.set(
                    path[path.length - 1],
                    property.maybe("val").orElse(Xml.NOTHING).json());
        });
        Optional<VcenterFailure> withheld = content.all("missingSet")
                .findFirst()
                .map(missing -> VcenterFailure.withheld(
                        reference.attribute("type") + " " + reference.text(), missing.text("path"), fault(missing)));
        return new Found(object, withheld);
    }

    /** Makes a call and returns the body of its answer. */
    private Xml call(String name, String parameters) throws IOException, InterruptedException {
        return call(name, parameters, settings.timeout());
    }

    private Xml call(String name, String parameters, Duration timeout) throws IOException, InterruptedException {
        String envelope = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
                + "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\""
                + " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body><" + name
                + " xmlns=\"urn:vim25\">" + parameters + "</" + name + "></soapenv:Body></soapenv:Envelope>";
        HttpRequest.Builder request = HttpRequest.newBuilder(url)
                .timeout(timeout)
                .header("Content-Type", "text/xml; charset=utf-8")
                .header("SOAPAction", "\"" + VERSION + "\"")
                .header("Accept-Encoding", "gzip")
                .POST(HttpRequest.BodyPublishers.ofString(envelope));
        String known = cookie;
        if (known != null) {
            request.header("Cookie", known);
        }
        HttpResponse<InputStream> response =
                JsonApi.send(http, request.build(), HttpResponse.BodyHandlers.ofInputStream());
        byte[] bytes = bytes(name, response);
        response.headers().allValues("Set-Cookie").stream()
                .filter(each -> each.startsWith(SESSION_COOKIE))
                // As it was sent, quotes included.
                .forEach(each -> cookie = each.split(";", 2)[0]);
        int status = response.statusCode();
        Optional<Xml> body = body(bytes);
        Optional<Xml> fault = body.flatMap(each -> each.maybe("Fault"));
        if (fault.isPresent()) {
            throw VcenterFailure.fault(name, fault.get());
        }
        if (status != 200) {
            throw VcenterFailure.http(
                    name, status, response.headers().firstValue("Retry-After").orElse(null));
        }
        return body.flatMap(each -> each.children().stream().findFirst())
                .filter(each -> each.name().endsWith("Response"))
                .orElseThrow(() -> VcenterFailure.stop(
                        StopReason.BAD_RESPONSE,
                        name + ": " + bytes.length + " bytes of "
                                + response.headers().firstValue("Content-Type").orElse("no content type")
                                + " (expected: a SOAP answer)"));
    }

    private static Optional<Xml> body(byte[] bytes) {
        try {
            Xml envelope = Xml.parse(bytes);
            return envelope.name().equals("Envelope") ? envelope.maybe("Body") : Optional.empty();
        } catch (XMLStreamException e) {
            return Optional.empty();
        }
    }

    private static byte[] bytes(String call, HttpResponse<InputStream> response) throws IOException {
        boolean isZipped = response.headers()
                .firstValue("Content-Encoding")
                .filter("gzip"::equalsIgnoreCase)
                .isPresent();
        try (InputStream body = response.body();
                InputStream plain = isZipped ? new GZIPInputStream(body) : body) {
            byte[] bytes = plain.readNBytes(MOST_BYTES + 1);
            if (bytes.length > MOST_BYTES) {
                throw VcenterFailure.stop(StopReason.BAD_RESPONSE, call + ": an answer of more than 128 MiB");
            }
            return bytes;
        }
    }

    /** One of the server's services, as what a call is made to. */
    private String reference(String service) {
        Xml found = content.maybe(service).orElse(Xml.NOTHING);
        return element("_this", found.attribute("type"), found.text());
    }

    private String service(String name) {
        return content.text(name);
    }

    private static String element(String name, String text) {
        return "<" + name + ">" + escaped(text) + "</" + name + ">";
    }

    private static String element(String name, String type, String reference) {
        return "<" + name + " type=\"" + escaped(type) + "\">" + escaped(reference) + "</" + name + ">";
    }

    static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;")
                // Else a reader makes a line feed of it.
                .replace("\r", "&#13;");
    }

    /** Logs out: a vCenter has a limited number of sessions, and keeps an idle one for half an hour. */
    @Override
    public void close() {
        try {
            call("Logout", reference("sessionManager"), Duration.ofSeconds(10));
        } catch (IOException e) {
            LOG.debug("a session that could not be ended", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            http.close();
        }
    }
}
