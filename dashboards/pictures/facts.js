// facts runs in the page: what there is to see of each panel, as numbers and texts.
export function facts() {
  const box = element => element.getBoundingClientRect();
  const clips = element => getComputedStyle(element).overflowX !== 'visible';

  const within = (inner, outer) => inner.top >= outer.top && inner.bottom <= outer.bottom && inner.left >= outer.left && inner.right <= outer.right;

  // visible is which share of the width of a text is not cut off by what it is in.
  function visible(node, panel) {
    const range = document.createRange();
    range.selectNodeContents(node);
    const { left, right, width } = range.getBoundingClientRect();
    let from = left, to = right;
    for (let e = node.parentElement; e !== panel.parentElement; e = e.parentElement) {
      if (!clips(e) && e !== panel) continue;
      from = Math.max(from, box(e).left);
      to = Math.min(to, box(e).right);
    }
    return width === 0 ? 1 : Math.max(0, to - from) / width;
  }

  function cutTexts(panel) {
    const cut = [];
    const walker = document.createTreeWalker(panel, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const style = getComputedStyle(node.parentElement);
      const text = node.data.trim();
      if (!text || style.visibility === 'hidden' || style.clip === 'rect(0px, 0px, 0px, 0px)') continue;
      const share = visible(node, panel);
      if (share < 0.99) cut.push({ text, visible: Math.round(share * 100) / 100 });
    }
    return cut;
  }

  // ink is how many points of a graph's plot are of a colour: lines of the grid and
  // the background are grey or nearly so. A line at zero is on its border.
  function ink(panel) {
    let points = 0;
    for (const plot of panel.querySelectorAll('.u-over')) {
      const canvas = plot.parentElement.querySelector('canvas');
      const scale = canvas.width / box(canvas).width;
      const x = box(plot).left - box(canvas).left, y = box(plot).top - box(canvas).top;
      const { data } = canvas.getContext('2d').getImageData(x * scale, y * scale, box(plot).width * scale, (box(plot).height + 2) * scale);
      for (let i = 0; i < data.length; i += 4) {
        const rgb = data.subarray(i, i + 3);
        if (data[i + 3] > 100 && Math.max(...rgb) - Math.min(...rgb) > 40) points++;
      }
    }
    return points;
  }

  return [...document.querySelectorAll('[data-panel]')].map(panel => {
    const content = panel.querySelector('[data-content]');
    return {
      id: Number(panel.dataset.panel),
      title: panel.dataset.title,
      type: panel.dataset.type,
      state: content?.querySelector('[data-error]') ? 'error' : panel.dataset.state,
      empty: panel.dataset.rows === '0',
      standIn: content?.querySelectorAll('[data-stand-in] rect').length ?? 0,
      headers: [...(content?.querySelectorAll('[role=columnheader]') ?? [])].map(header => header.innerText.trim()),
      text: content?.innerText ?? '',
      rows: content?.querySelectorAll('[role=row]:has([role=gridcell])').length ?? 0,
      plots: [...(content?.querySelectorAll('.u-over') ?? [])].filter(plot => within(box(plot), box(content))).length,
      ink: ink(panel),
      links: [...(content?.querySelectorAll('a[href]') ?? [])].map(a => a.getAttribute('href')),
      cut: cutTexts(panel),
      box: { x: Math.round(box(panel).x), y: Math.round(box(panel).y), width: Math.round(panel.firstElementChild.offsetWidth), height: Math.round(panel.firstElementChild.offsetHeight) },
    };
  });
}
