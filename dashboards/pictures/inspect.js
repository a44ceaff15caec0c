// inspectPanels runs in the page and returns the visible content of each panel as numbers and texts.
export function inspectPanels() {
  const box = element => element.getBoundingClientRect();
  const clips = element => getComputedStyle(element).overflowX !== 'visible';

  const isWithin = (inner, outer) =>
    inner.top >= outer.top && inner.bottom <= outer.bottom && inner.left >= outer.left && inner.right <= outer.right;

  // visibleShare returns the share of the area of a text that its ancestors do not clip. Letters fill about the middle
  // three fifths of the height of a line.
  function visibleShare(node, panel) {
    const range = document.createRange();
    range.selectNodeContents(node);
    const line = range.getBoundingClientRect();
    const text = new DOMRect(line.x, line.y + 0.2 * line.height, line.width, 0.6 * line.height);
    let { left, right, top, bottom } = text;
    for (let e = node.parentElement; e !== panel.parentElement; e = e.parentElement) {
      if (!clips(e) && e !== panel) continue;
      const { left: l, right: r, top: t, bottom: b } = box(e);
      [left, right, top, bottom] = [Math.max(left, l), Math.min(right, r), Math.max(top, t), Math.min(bottom, b)];
    }
    const area = text.width * text.height;
    return area === 0 ? 1 : (Math.max(0, right - left) * Math.max(0, bottom - top)) / area;
  }

  // clippedTexts returns the texts of a panel that are not completely visible.
  function clippedTexts(panel) {
    const clipped = [];
    const walker = document.createTreeWalker(panel, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const style = getComputedStyle(node.parentElement);
      const text = node.data.trim();
      if (!text || style.visibility === 'hidden' || style.clip === 'rect(0px, 0px, 0px, 0px)') continue;
      const share = visibleShare(node, panel);
      if (share < 0.999) clipped.push({ text, visible: Math.round(share * 100) / 100 });
    }
    return clipped;
  }

  // coloredPixels counts the colored pixels in the plots of a panel, which are the drawn series: the grid and the
  // background are grey. The area includes the bottom border, because a line at zero is drawn on it.
  function coloredPixels(panel) {
    let pixels = 0;
    for (const plot of panel.querySelectorAll('.u-over')) {
      const canvas = plot.parentElement.querySelector('canvas');
      const scale = canvas.width / box(canvas).width;
      const x = box(plot).left - box(canvas).left,
        y = box(plot).top - box(canvas).top;
      const { data } = canvas
        .getContext('2d')
        .getImageData(x * scale, y * scale, box(plot).width * scale, (box(plot).height + 2) * scale);
      for (let i = 0; i < data.length; i += 4) {
        const rgb = data.subarray(i, i + 3);
        if (data[i + 3] > 100 && Math.max(...rgb) - Math.min(...rgb) > 40) pixels++;
      }
    }
    return pixels;
  }

  return [...document.querySelectorAll('[data-panel]')].map(panel => {
    const content = panel.querySelector('[data-content]');
    return {
      id: Number(panel.dataset.panel),
      title: panel.dataset.title,
      type: panel.dataset.type,
      state: content?.querySelector('[data-error]') ? 'error' : panel.dataset.state,
      empty: panel.dataset.rows === '0',
      standIn: content?.querySelectorAll('[data-substitute] rect').length ?? 0,
      headers: [...(content?.querySelectorAll('[role=columnheader]') ?? [])].map(header => header.innerText.trim()),
      text: content?.innerText ?? '',
      rows: content?.querySelectorAll('[role=row]:has([role=gridcell])').length ?? 0,
      plots: [...(content?.querySelectorAll('.u-over') ?? [])].filter(plot => isWithin(box(plot), box(content))).length,
      ink: coloredPixels(panel),
      links: [...(content?.querySelectorAll('a[href]') ?? [])].map(a => a.getAttribute('href')),
      cut: clippedTexts(panel),
      box: {
        x: Math.round(box(panel).x),
        y: Math.round(box(panel).y),
        width: Math.round(panel.firstElementChild.offsetWidth),
        height: Math.round(panel.firstElementChild.offsetHeight),
      },
    };
  });
}
