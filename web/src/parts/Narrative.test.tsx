// @vitest-environment jsdom
import { render } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { Narrative, narrativeText } from "./Narrative";

describe("someone else's XHTML", () => {
  it("is shown without scripts, handlers, links, pictures or styles, but with its words", () => {
    const { container } = render(
      <Narrative html={'<div onclick="x()" style="position:fixed"><script>x()</script><p>Seen <a href="javascript:x()">today</a></p><img src="http://e/x"/><iframe src="x"></iframe><table><tr><td colspan="2">1</td></tr></table></div>'} />,
    );
    expect(container.textContent).toBe("Seen today1");
    expect(container.querySelector("script, a, img, iframe, [onclick], [style]")).toBeNull();
    expect(container.querySelector("td")?.getAttribute("colspan")).toBe("2");
  });
  it("does not break on malformed or very deep markup", () => {
    const deep = `${"<div>".repeat(400)}words${"</div>".repeat(400)}`;
    expect(render(<Narrative html={deep} />).container.textContent).toBe("words");
    expect(() => render(<Narrative html={"<p><b>x</p></i><<"} />)).not.toThrow();
  });
  it("has no words where there are only tags", () => {
    expect(narrativeText("<div> <br/> </div>")).toBe("");
    expect(narrativeText(undefined)).toBe("");
  });
});
