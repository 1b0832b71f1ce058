package io.elder.fetch.vcenter;

import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import java.io.IOException;

/** An answer that is no success, and what to do about it. */
final class VcenterFailure extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient Verdict verdict;

    private VcenterFailure(String message, Verdict verdict) {
        super(message);
        this.verdict = verdict;
    }

    Verdict verdict() {
        return verdict;
    }

    static VcenterFailure stop(StopReason reason, String message) {
        return new VcenterFailure(message, new Verdict.Stop(reason, message));
    }

    /** Not vCenter's words but those of what stands before it, or of a vCenter that is still starting. */
    static VcenterFailure http(String call, int status, String retryAfter) {
        String message = call + ": " + status + " (expected: a SOAP answer)";
        return switch (status) {
            case 401 -> stop(StopReason.BAD_CREDENTIALS, message);
            case 403 -> stop(StopReason.FORBIDDEN, message);
            case 404, 410 -> new VcenterFailure(message, new Verdict.Gone());
            // Also said where there are too many sessions or requests.
            case 429, 503 -> new VcenterFailure(message, Verdict.throttled(retryAfter));
            case 408, 500, 502, 504 -> new VcenterFailure(message, new Verdict.RetryWithBackoff());
            default -> stop(StopReason.BAD_RESPONSE, message);
        };
    }

    /**
     * A fault, by its type in vim25.
     *
     * @see <a href="https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/">vSphere Web Services API</a>
     */
    static VcenterFailure fault(String call, Xml fault) {
        String words = fault.maybe("faultstring").map(Xml::text).orElse("").strip();
        Xml detail = fault.maybe("detail")
                .flatMap(each -> each.children().stream().findFirst())
                .orElse(Xml.NOTHING);
        String type = detail.type().isEmpty() ? detail.name().replaceFirst("Fault$", "") : detail.type();
        String message = call + ": " + (type.isEmpty() ? "a fault" : type) + (words.isEmpty() ? "" : ": " + words);
        return switch (type) {
            case "InvalidLogin" -> stop(StopReason.BAD_CREDENTIALS, message);
            case "PasswordExpired" -> stop(StopReason.PASSWORD_EXPIRED, message);
            case "NoPermission" -> stop(StopReason.FORBIDDEN, message + missing(detail));
            case "RestrictedVersion" -> stop(StopReason.FORBIDDEN, message);
            // The session is over; or an object, a view or a page is, as when it was read too slowly.
            case "NotAuthenticated", "ManagedObjectNotFound" -> new VcenterFailure(message, new Verdict.StartOver());
            case "InvalidArgument" ->
                call.startsWith("Continue")
                        ? new VcenterFailure(message, new Verdict.StartOver())
                        : stop(StopReason.BAD_RESPONSE, message);
            case "", "SystemError", "HostCommunication", "RequestCanceled", "Timedout", "ConcurrentAccess" ->
                new VcenterFailure(message, new Verdict.RetryWithBackoff());
            default -> stop(StopReason.BAD_RESPONSE, message);
        };
    }

    /** A property that vCenter did not tell though it was asked for. */
    static VcenterFailure withheld(String object, String path, Xml fault) {
        String message = object + ": " + path + " is withheld: " + (fault.type().isEmpty() ? "a fault" : fault.type());
        return fault.type().equals("NoPermission")
                ? stop(StopReason.FORBIDDEN, message + missing(fault))
                : stop(StopReason.INCOMPLETE, message);
    }

    private static String missing(Xml fault) {
        return fault.maybe("privilegeId")
                .map(privilege -> " (expected: the privilege " + privilege.text()
                        + fault.maybe("object")
                                .map(object -> " on " + object.attribute("type") + " " + object.text())
                                .orElse("")
                        + ")")
                .orElse("");
    }
}
